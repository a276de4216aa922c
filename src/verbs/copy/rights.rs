//! `--acl`: gives others the rights to the target's folders that they have to the source's.
//!
//! Both sides' access control lists are read in one flight each; `plan::rights` decides. Granting
//! and removing may be repeated, so a connection that breaks does no harm; afterwards the changed
//! lists are read again, as a server may say OK and keep something else.

use super::Copy;
use crate::engine::way::Way;
use crate::event::{EntryRights, Event, RightsAction};
use crate::exec::Link;
use crate::mail::{AclEntry, Both, MailboxName, Side};
use crate::plan::rights::{AclMap, Planned, Sides, Step, rights_on_target};
use crate::plan::{DeletionLimit, Deletions};
use crate::store::{AclRules, Answer, Error, FolderRights, RightsChange, RightsEdit, Store};
use crate::verbs::Deleting;
use crate::verbs::opening::Names;

/// How many folders a warning names.
const NAMED: usize = 5;

/// A folder on the target, and those of the source that are copied to it.
struct Place {
    sources: Vec<MailboxName>,
    /// `None`: it doesn't exist yet, in a dry run.
    target: Option<MailboxName>,
    /// The target's name for users.
    shown: String,
    /// Whether rights that the source doesn't grant may be removed.
    exact: bool,
}

/// What was read of both sides: the rules, and each folder's rights.
type Read = Both<Option<(AclRules, Vec<Answer<FolderRights>>)>>;

/// One entry to deal with.
struct Item {
    /// The folder, an index into the places.
    place: usize,
    planned: Planned,
}

/// What is planned for all folders.
struct Plan {
    places: Vec<Place>,
    rules: AclRules,
    items: Vec<Item>,
    /// How many entries the target's folders have.
    entries: u64,
}

impl Copy<'_> {
    /// Copies the rights to folders.
    ///
    /// # Errors
    /// What ends the connections.
    pub(super) fn copy_rights(
        &mut self,
        way: &mut Way<'_>,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        let options = self.options;
        let Some(map) = &options.acl else {
            return Ok(());
        };
        let places = self.places_of_rights(names);
        let read = way.repeatable(|link| read(link, &places))?;
        let Some(mut plan) = self.plan_rights(places, read, map) else {
            return Ok(());
        };
        way.repeatable(|link| plan.narrow(link.target.as_mut()))?;
        self.brake_rights(&mut plan);
        let changes = plan.changes();
        if !changes.is_empty() {
            let answers = way.repeatable(|link| link.target.change_rights(&changes))?;
            plan.note_refusals(&answers);
            let changed = plan.changed_folders();
            let now = way.repeatable(|link| link.target.rights(&changed))?;
            plan.verify(&changed, &now);
        }
        self.tell_rights(&plan);
        Ok(())
    }

    /// Says in a dry run what would become of each entry.
    ///
    /// # Errors
    /// What ends the connections.
    pub(super) fn foresee_rights(
        &mut self,
        link: &mut Link,
        names: &Names<'_>,
    ) -> Result<(), Error> {
        let options = self.options;
        let Some(map) = &options.acl else {
            return Ok(());
        };
        let places = self.places_of_rights(names);
        let read = read(link, &places)?;
        let Some(mut plan) = self.plan_rights(places, read, map) else {
            return Ok(());
        };
        plan.narrow(link.target.as_mut())?;
        self.brake_rights(&mut plan);
        self.tell_rights(&plan);
        Ok(())
    }

    /// Returns the folders that take part, each of the target's once.
    fn places_of_rights(&self, names: &Names<'_>) -> Vec<Place> {
        let is_mirror = matches!(self.options.deleting, Deleting::Mirror(_))
            && self.options.keep_deleted.is_none();
        let mut places: Vec<Place> = Vec::new();
        for (index, pair) in names.pairs.iter().enumerate() {
            let work = &self.folders[index];
            let Some(needs) = work.needs.as_ref().filter(|_| !work.is_refused) else {
                continue;
            };
            if self.is_idle_view(index, names.pairs) {
                continue;
            }
            let made = needs.target.as_ref().map(|target| &target.name);
            let listed = names.existing(pair).map(|folder| &folder.name);
            let target = made.or(listed);
            let target = target.map(|name| self.renamed.get(name).unwrap_or(name).clone());
            if target.is_none() && !self.options.dry_run {
                continue;
            }
            let source = names.source.mailboxes[pair.source].name.clone();
            let shown = pair.to.to_string();
            match places.iter_mut().find(|place| place.shown == shown) {
                Some(place) => place.sources.push(source),
                None => places.push(Place {
                    sources: vec![source],
                    exact: is_mirror && names.is_own_on_target(target.as_ref()),
                    target,
                    shown,
                }),
            }
        }
        places
    }

    /// Decides about each entry. `None`: one side has no rights, which is said.
    fn plan_rights(&self, mut places: Vec<Place>, read: Read, map: &AclMap) -> Option<Plan> {
        let without = Side::BOTH.into_iter().find(|side| read[*side].is_none());
        if let Some(side) = without {
            let side = Side::PARTS[side];
            let text =
                format!("no rights were copied (--acl): the {side} has none to folders (no ACL)");
            self.observer.observe(&Event::Warning { text: &text });
        }
        let (source, theirs) = read.first?;
        let (rules, there) = read.second?;
        let (mut theirs, mut there) = (theirs.into_iter(), there.into_iter());
        let (mut items, mut unreadable, mut total) = (Vec::new(), Vec::new(), 0);
        for (at, place) in places.iter_mut().enumerate() {
            let lists = theirs.by_ref().take(place.sources.len());
            let entries = place.entries(lists, &mut unreadable);
            let existing = match &place.target {
                None => Ok(Vec::new()),
                Some(_) => readable(there.next()),
            };
            let sides = Sides {
                source: &source,
                target: &rules,
                map,
                exact: place.exact,
            };
            let known = existing.as_deref().unwrap_or_default();
            total += known.len() as u64;
            let mut planned = sides.plan(&entries, known);
            if let Err(reason) = &existing {
                planned.iter_mut().for_each(|one| one.fail(reason));
            }
            let new = planned.into_iter();
            items.extend(new.map(|planned| Item { place: at, planned }));
        }
        self.note_unreadable(&unreadable);
        Some(Plan {
            places,
            rules,
            items,
            entries: total,
        })
    }

    fn note_unreadable(&self, folders: &[String]) {
        if folders.is_empty() {
            return;
        }
        let mut named = folders
            .iter()
            .take(NAMED)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        if folders.len() > NAMED {
            named.push_str(&format!(" and {} more", folders.len() - NAMED));
        }
        let text = format!(
            "rights not readable on the source, so not copied (--acl): {named}; that takes the right \"a\" to a folder"
        );
        self.observer.observe(&Event::Warning { text: &text });
    }

    /// Removes no rights at all if more would be removed than is allowed, or mail is held back for
    /// that reason.
    fn brake_rights(&mut self, plan: &mut Plan) {
        let Deleting::Mirror(limit) = self.options.deleting else {
            return;
        };
        let count = Deletions {
            deleted: plan
                .items
                .iter()
                .filter(|item| item.planned.removes())
                .count() as u64,
            of: plan.entries,
        };
        if count.deleted == 0 || !(self.braked || limit.is_passed(count)) {
            return;
        }
        if !self.braked {
            self.braked = true;
            self.observer.observe(&Event::Warning {
                text: &told_braked(count, limit),
            });
        }
        plan.items.retain(|item| !item.planned.removes());
    }

    /// Tells and counts what was done, or would be.
    fn tell_rights(&mut self, plan: &Plan) {
        for Item { place, planned } in &plan.items {
            let (action, rights, reason) = match &planned.step {
                Step::There => (RightsAction::Keep, planned.entry.rights, ""),
                Step::Leave(reason) => (RightsAction::Leave, planned.entry.rights, *reason),
                Step::Fail(reason) => (RightsAction::Fail, planned.entry.rights, reason.as_str()),
                Step::Grant(rights) => (RightsAction::Grant, *rights, ""),
                Step::Reduce { from, to } => (RightsAction::Remove, from.without(*to), ""),
                Step::Remove => (RightsAction::Remove, planned.entry.rights, ""),
            };
            match action {
                RightsAction::Keep | RightsAction::Leave if !self.options.dry_run => continue,
                RightsAction::Keep | RightsAction::Leave => {}
                RightsAction::Fail => self.summary.rights_failed += 1,
                RightsAction::Grant | RightsAction::Remove => self.summary.rights_changed += 1,
            }
            self.observer.observe(&Event::Rights(EntryRights {
                folder: &plan.places[*place].shown,
                identifier: &planned.entry.identifier,
                to: Some(planned.to.as_str()).filter(|to| !to.is_empty()),
                action,
                rights,
                reason,
            }));
        }
    }
}

impl Place {
    /// Returns the entries of the source's folders. Where one can't be read, its name is noted, and
    /// nothing is removed from the target's.
    fn entries(
        &mut self,
        lists: impl Iterator<Item = Answer<FolderRights>>,
        unreadable: &mut Vec<String>,
    ) -> Vec<AclEntry> {
        let mut all = Vec::new();
        for list in lists {
            let why = match list {
                Ok(FolderRights {
                    entries: Some(entries),
                }) => {
                    all.extend(entries);
                    continue;
                }
                Ok(FolderRights { entries: None }) => String::new(),
                Err(refusal) => format!(" ({})", refusal.text),
            };
            self.exact = false;
            unreadable.push(format!("{}{why}", self.shown));
        }
        all
    }
}

/// Reads the rules and all lists of both sides at the same time.
fn read(link: &mut Link, places: &[Place]) -> Result<Read, Error> {
    let sources = places
        .iter()
        .flat_map(|place| &place.sources)
        .cloned()
        .collect();
    let targets = places
        .iter()
        .filter_map(|place| place.target.clone())
        .collect();
    let names: Both<Vec<MailboxName>> = Both::new(sources, targets);
    link.on_both(|side, store| {
        let Some(rules) = store.acl_rules() else {
            return Ok(None);
        };
        Ok(Some((rules, store.rights(&names[side])?)))
    })
}

/// Returns the entries of the target's folder, or why they can't be changed.
fn readable(answer: Option<Answer<FolderRights>>) -> Result<Vec<AclEntry>, String> {
    match answer {
        Some(Ok(FolderRights {
            entries: Some(entries),
        })) => Ok(entries),
        Some(Err(refusal)) => Err(refusal.text),
        _ => Err("you may not change rights to this folder on the target".to_owned()),
    }
}

fn told_braked(count: Deletions, limit: DeletionLimit) -> String {
    format!(
        "no rights were removed: {} of {} entries would lose some, more than --max-delete {limit} allows; \
         check with --dry-run, then raise it",
        count.deleted, count.of,
    )
}

impl Plan {
    /// Limits what is granted to what the target's folder offers for each.
    fn narrow(&mut self, target: &mut dyn Store) -> Result<(), Error> {
        let is_asked = |item: &Item| matches!(item.planned.step, Step::Grant(_));
        let asked: Vec<(usize, (MailboxName, String))> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| is_asked(item))
            .filter_map(|(at, item)| {
                let mailbox = self.places[item.place].target.clone()?;
                Some((at, (mailbox, item.planned.to.clone())))
            })
            .collect();
        if asked.is_empty() {
            return Ok(());
        }
        let (at, asked): (Vec<usize>, Vec<_>) = asked.into_iter().unzip();
        // Where the server doesn't say, its own reply to the change shows.
        for (at, grantable) in at.into_iter().zip(target.grantable(&asked)?) {
            let item = &mut self.items[at];
            if let (Ok(grantable), Step::Grant(rights)) = (grantable, &item.planned.step) {
                let limited = grantable.limit(*rights, item.planned.has);
                item.planned.step = if limited.is_empty() {
                    Step::There
                } else {
                    Step::Grant(limited)
                };
            }
        }
        Ok(())
    }

    fn changes(&self) -> Vec<RightsChange> {
        let change = |item: &Item| {
            let edit = match &item.planned.step {
                Step::Grant(rights) => RightsEdit::Grant(*rights),
                Step::Reduce { to, .. } => RightsEdit::Replace(*to),
                Step::Remove => RightsEdit::Remove,
                Step::There | Step::Leave(_) | Step::Fail(_) => return None,
            };
            Some(RightsChange {
                mailbox: self.places[item.place].target.clone()?,
                identifier: item.planned.to.clone(),
                edit,
            })
        };
        self.items.iter().filter_map(change).collect()
    }

    /// Notes what the server refused. The answers are those to [`Plan::changes`].
    fn note_refusals(&mut self, answers: &[Answer<()>]) {
        let changed = self.items.iter_mut().filter(|item| item.planned.changes());
        for (item, answer) in changed.zip(answers) {
            if let Err(refusal) = answer {
                item.planned.fail(&refusal.text);
            }
        }
    }

    /// Returns the folders with changes that were accepted, each once.
    fn changed_folders(&self) -> Vec<MailboxName> {
        let mut folders: Vec<MailboxName> = Vec::new();
        for item in self.items.iter().filter(|item| item.planned.changes()) {
            if let Some(target) = &self.places[item.place].target
                && !folders.contains(target)
            {
                folders.push(target.clone());
            }
        }
        folders
    }

    /// Checks that the target has now what it accepted.
    fn verify(&mut self, folders: &[MailboxName], now: &[Answer<FolderRights>]) {
        let Self {
            places,
            rules,
            items,
            ..
        } = self;
        for item in items.iter_mut().filter(|item| item.planned.changes()) {
            let target = places[item.place].target.as_ref();
            let at = folders.iter().position(|folder| Some(folder) == target);
            let list = at.and_then(|at| now.get(at)).cloned();
            let planned = &mut item.planned;
            let is_done = match readable(list) {
                Ok(list) => planned.is_done(rights_on_target(&planned.to, &list, rules)),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = is_done {
                planned.fail(&reason);
            }
        }
    }
}
