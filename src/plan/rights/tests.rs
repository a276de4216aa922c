use super::*;
use crate::provider::Identifiers;
use crate::store::Grantable;

fn rules(user: &str, identifiers: Identifiers, letters: &str) -> AclRules {
    let groups = letters.split(' ').map(Rights::of).collect();
    AclRules {
        user: user.to_owned(),
        identifiers,
        grantable: Grantable(groups),
    }
}

fn list(text: &str) -> Vec<AclEntry> {
    let entry = |text: &str| {
        let (identifier, rights) = text.split_once('=').unwrap();
        AclEntry {
            identifier: identifier.to_owned(),
            rights: Rights::of(rights),
        }
    };
    text.split_whitespace().map(entry).collect()
}

const NEW: &str = "l r s w i p k x t e a";
const OLD: &str = "l r s w i p a k etx";

/// What becomes of each entry, from Dovecot (user `ann`) to Cyrus (user `ann2`).
fn planned(source: &str, target: &str, map: &[&str], exact: bool) -> Vec<String> {
    planned_for(NEW, source, target, map, exact)
}

fn planned_for(
    letters: &str,
    source: &str,
    target: &str,
    map: &[&str],
    exact: bool,
) -> Vec<String> {
    let texts: Vec<String> = map.iter().map(|text| (*text).to_owned()).collect();
    let sides = Sides {
        source: &rules("ann", Identifiers::Dovecot, NEW),
        target: &rules("ann2", Identifiers::Cyrus, letters),
        map: &AclMap::new(&texts).unwrap(),
        exact,
    };
    let shown = |one: Planned| {
        let step = match one.step {
            Step::There => "there".to_owned(),
            Step::Leave(_) => "leave".to_owned(),
            Step::Fail(_) => "fail".to_owned(),
            Step::Grant(rights) => format!("+{rights}"),
            Step::Reduce { to, .. } => format!("={to}"),
            Step::Remove => "remove".to_owned(),
        };
        format!("{} {} {step}", one.entry.identifier, one.to)
    };
    let planned = sides.plan(&list(source), &list(target));
    planned.into_iter().map(shown).collect()
}

#[test]
fn the_target_gets_what_it_lacks() {
    assert_eq!(
        planned(
            "bob=lrs $staff=lr carl=l",
            "ann2=lrswipkxtea bob=l carl=lr",
            &[],
            false
        ),
        ["bob bob +rs", "$staff group:staff +lr", "carl carl there"]
    );
    assert_eq!(planned("bob=lr0n", "", &[], false), ["bob bob +lr"]);
}

#[test]
fn a_second_run_has_nothing_to_do() {
    for (letters, wanted, there) in [(NEW, "lrte", "lrte"), (OLD, "lrte", "lr")] {
        let source = format!("bob={wanted}");
        let target = format!("bob={there}");
        assert_eq!(
            planned_for(letters, &source, "", &[], false),
            [format!("bob bob +{}", Rights::of(there))]
        );
        for exact in [false, true] {
            assert_eq!(
                planned_for(letters, &source, &target, &[], exact),
                ["bob bob there"]
            );
        }
    }
}

#[test]
fn nobody_becomes_everyone() {
    assert_eq!(
        planned("anyone=lr authenticated=lr !$x=lr #g=lr", "", &[], false),
        [
            "anyone  fail",
            "authenticated  fail",
            "!$x  fail",
            "#g  leave"
        ]
    );
    assert_eq!(
        planned(
            "anyone=lr -anyone=w authenticated=l",
            "",
            &["anyone=anyone", "authenticated="],
            false
        ),
        ["anyone anyone +lr", "-anyone  fail", "authenticated  leave"]
    );
}

#[test]
fn the_owner_and_the_user_are_left_alone() {
    assert_eq!(
        planned(
            "owner=lr ann=lr -ann=w ann@x.org=l bob=l carl=l",
            "ann2=lrswipkxtea",
            &["bob=Ann2", "carl=ann2@y.org"],
            true
        ),
        [
            "owner  leave",
            "ann  leave",
            "-ann  leave",
            "ann@x.org  leave",
            "bob Ann2 leave",
            "carl ann2@y.org leave"
        ]
    );
}

#[test]
fn what_becomes_one_counts_together() {
    assert_eq!(
        planned("bob=lr robert=lrs", "robert=lrsw", &["bob=robert"], true),
        ["bob robert =lrs", "robert robert =lrs"]
    );
}

#[test]
fn a_mirror_removes_what_the_source_does_not_grant() {
    assert_eq!(
        planned(
            "bob=lr anyone=lr",
            "ann2=a bob=lrs -bob=w carl=lr anyone=l group:staff=l",
            &[],
            true
        ),
        [
            "bob bob =lr",
            "anyone  fail",
            "-bob -bob remove",
            "carl carl remove",
            "group:staff group:staff remove"
        ]
    );
}

#[test]
fn nobody_is_locked_out_by_a_name_of_their_own() {
    let source = "bob=lr";
    assert_eq!(
        planned(source, "alias=lrswipkxtea bob=lrsa carl=lr", &[], true),
        ["bob bob there", "carl carl remove"]
    );
    assert_eq!(
        planned(source, "ann2=lra alias=lrswipkxtea bob=lrsa", &[], true),
        ["bob bob =lr", "alias alias remove"]
    );
}
