//! Validates JSON against docs/json.schema.json and docs/report.schema.json. Supports the part of
//! JSON Schema (draft 2020-12) used there, with one stricter rule: a member that the schema doesn't
//! have is an error, so everything printed is documented.

use serde_json::{Map, Value};

/// A schema.
pub struct Schema {
    root: Value,
}

impl Schema {
    /// The one of `--output json`.
    pub fn of_output() -> Self {
        Self {
            root: serde_json::from_str(include_str!("../../docs/json.schema.json")).unwrap(),
        }
    }

    /// The one of `--report FILE.json`.
    pub fn of_report() -> Self {
        Self {
            root: serde_json::from_str(include_str!("../../docs/report.schema.json")).unwrap(),
        }
    }

    /// What is wrong with a value; `None`: nothing.
    pub fn fault(&self, value: &Value) -> Option<String> {
        self.check(&self.root, value, "").err()
    }

    /// The kinds of lines that it knows: their events, with the command for summaries.
    pub fn kinds(&self) -> Vec<String> {
        let constant =
            |one: &Value, name: &str| one["properties"][name]["const"].as_str().map(str::to_owned);
        let kind = |one: &Value| match constant(one, "command") {
            Some(command) => format!("summary {command}"),
            None => constant(one, "event").unwrap(),
        };
        self.root["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .map(kind)
            .collect()
    }

    /// Every name of a field in it.
    pub fn fields(&self) -> Vec<String> {
        let of = |one: &Value| {
            one["properties"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
        };
        self.root["oneOf"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(of)
            .collect()
    }

    /// Every name of a field of a report, at whatever depth.
    pub fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        collect_names(&self.root, &mut names);
        names.sort();
        names.dedup();
        names
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        for (keyword, wanted) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().trim_start_matches('#');
                    self.check(self.root.pointer(pointer).unwrap(), value, at)?;
                }
                "oneOf" | "anyOf" => {
                    self.check_choice(keyword, wanted.as_array().unwrap(), value, at)?;
                }
                "const" if value != wanted => return Err(format!("{at} is {value}, not {wanted}")),
                "enum" if !wanted.as_array().unwrap().contains(value) => {
                    return Err(format!("{at} is {value}, none of {wanted}"));
                }
                "type" if !is_of_type(value, wanted.as_str().unwrap()) => {
                    return Err(format!("{at} is {value}, no {wanted}"));
                }
                "minimum"
                    if value
                        .as_f64()
                        .is_some_and(|number| number < wanted.as_f64().unwrap()) =>
                {
                    return Err(format!("{at} is {value}, less than {wanted}"));
                }
                "properties" => self.check_members(wanted.as_object().unwrap(), value, at)?,
                "items" => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(wanted, item, &format!("{at}/{place}"))?;
                    }
                }
                "required" => check_required(wanted.as_array().unwrap(), value, at)?,
                "const" | "enum" | "type" | "minimum" | "title" | "description" | "$schema"
                | "$defs" => {}
                unknown => {
                    return Err(format!(
                        "the schema uses {unknown}, which this test does not know"
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_choice(
        &self,
        keyword: &str,
        choices: &[Value],
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        let faults: Vec<_> = choices
            .iter()
            .map(|one| self.check(one, value, at))
            .collect();
        let fits = faults.iter().filter(|fault| fault.is_ok()).count();
        if fits == 1 || (fits > 1 && keyword == "anyOf") {
            return Ok(());
        }
        let texts: Vec<String> = faults.into_iter().filter_map(Result::err).collect();
        Err(format!(
            "{at} fits {fits} of {keyword}: {}",
            texts.join("; ")
        ))
    }

    fn check_members(
        &self,
        properties: &Map<String, Value>,
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        for (name, member) in value.as_object().into_iter().flatten() {
            let schema = properties
                .get(name)
                .ok_or_else(|| format!("{at}/{name} is not in the schema"))?;
            self.check(schema, member, &format!("{at}/{name}"))?;
        }
        Ok(())
    }
}

fn check_required(names: &[Value], value: &Value, at: &str) -> Result<(), String> {
    let is_missing = |name: &&Value| value.get(name.as_str().unwrap()).is_none();
    names
        .iter()
        .find(is_missing)
        .map_or(Ok(()), |name| Err(format!("{at} lacks {name}")))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("the schema has the type {other}, which this test does not know"),
    }
}

fn collect_names(schema: &Value, names: &mut Vec<String>) {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let members = value.as_object().into_iter().flatten();
        match keyword.as_str() {
            "properties" => members.for_each(|(name, member)| {
                names.push(name.clone());
                collect_names(member, names);
            }),
            "$defs" => members.for_each(|(_, one)| collect_names(one, names)),
            "items" => collect_names(value, names),
            "anyOf" => value
                .as_array()
                .into_iter()
                .flatten()
                .for_each(|one| collect_names(one, names)),
            _ => {}
        }
    }
}
