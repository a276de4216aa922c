use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Messages by name.
#[derive(Default)]
struct Folder {
    uids: BTreeMap<Vec<u8>, Option<u32>>,
}

impl Folder {
    fn of(names: &[&str]) -> Self {
        Self {
            uids: names
                .iter()
                .map(|name| (name.as_bytes().to_vec(), None))
                .collect(),
        }
    }

    fn told(&self) -> Vec<(String, Option<u32>)> {
        self.uids
            .iter()
            .map(|(name, uid)| (String::from_utf8_lossy(name).into_owned(), *uid))
            .collect()
    }

    fn numbers(&self) -> Vec<u32> {
        self.uids.values().flatten().copied().collect()
    }
}

impl Numbered for Folder {
    fn set(&mut self, name: &[u8], uid: u32) -> bool {
        self.uids
            .get_mut(name)
            .map(|known| *known = Some(uid))
            .is_some()
    }

    fn clear(&mut self) {
        self.uids.values_mut().for_each(|uid| *uid = None);
    }

    fn number_rest(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<u32>) -> io::Result<()> {
        for (name, uid) in self.uids.iter_mut().filter(|(_, uid)| uid.is_none()) {
            *uid = Some(take(name)?);
        }
        Ok(())
    }

    fn unnumbered(&self) -> usize {
        self.uids.values().filter(|uid| uid.is_none()).count()
    }

    fn each(&self, take: &mut dyn FnMut(u32, &[u8]) -> io::Result<()>) -> io::Result<()> {
        let mut all: Vec<_> = self
            .uids
            .iter()
            .filter_map(|(name, uid)| Some(((*uid)?, name)))
            .collect();
        all.sort();
        all.into_iter().try_for_each(|(uid, name)| take(uid, name))
    }
}

struct Ground {
    _root: tempfile::TempDir,
    dir: Dir,
}

impl Ground {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = Dir::open(root.path()).unwrap();
        Self { _root: root, dir }
    }

    fn number(
        &self,
        numbers: &mut Numbers,
        may_write: bool,
        folder: &mut Folder,
    ) -> (Generation, u32) {
        numbers
            .number(&self.place(may_write), folder, &|_| None)
            .unwrap()
    }

    fn place(&self, may_write: bool) -> ListPlace<'_> {
        ListPlace {
            dir: &self.dir,
            name: b"mailferry-uids",
            root: &self.dir,
            may_write,
        }
    }

    fn text(&self) -> String {
        String::from_utf8(
            self.dir
                .contents(b"mailferry-uids", 1 << 20)
                .unwrap()
                .unwrap(),
        )
        .unwrap()
    }

    fn write(&self, text: &str) {
        self.dir
            .replace(b"mailferry-uids", |file| file.write_all(text.as_bytes()))
            .unwrap();
    }
}

#[test]
fn numbers_last_and_are_never_given_out_again() {
    let ground = Ground::new();
    let mut first = Folder::of(&["a", "b"]);
    let (generation, next) = ground.number(&mut Numbers::default(), true, &mut first);
    assert_eq!((first.numbers(), next), (vec![1, 2], 3));
    // `b` goes, `c` arrives: another process sees the same numbers.
    let mut second = Folder::of(&["a", "c"]);
    assert_eq!(
        ground.number(&mut Numbers::default(), true, &mut second),
        (generation, 4)
    );
    assert_eq!(second.numbers(), [1, 3]);
    let mut numbers = Numbers::default();
    let (validity, uids) = numbers.append(&ground.place(true), &[b"d", b"e"]).unwrap();
    assert_eq!((Some(validity), uids), (generation.validity(), vec![4, 5]));
    let mut third = Folder::of(&["d", "e"]);
    assert_eq!(
        ground.number(&mut numbers, true, &mut third),
        (generation, 6)
    );
    assert_eq!(third.numbers(), [4, 5]);
}

#[test]
fn a_line_that_a_crash_has_cut_is_left_out_and_its_number_may_be_used() {
    let ground = Ground::new();
    ground.write("1 V7 N2\n1 a\n2 b\n3 c");
    let mut folder = Folder::of(&["a", "b", "c"]);
    let (generation, next) = ground.number(&mut Numbers::default(), true, &mut folder);
    assert_eq!((generation, next), (Generation::Lasting(UidValidity(7)), 4));
    assert_eq!(ground.text(), "1 V7 N2\n1 a\n2 b\n3 c\n");
    ground.write("1 V7 N9\n1 a\n\0\0\0\0");
    let mut folder = Folder::of(&["a", "b", "c"]);
    assert_eq!(
        ground.number(&mut Numbers::default(), true, &mut folder),
        (generation, 11)
    );
}

#[test]
fn a_list_that_can_not_be_believed_gives_way_to_a_new_generation() {
    for text in [
        "",
        "1 V7\n1 a\n",
        "2 V7 N3\n",
        "1 V7 N3\n2 b\n1 a\n3 c\n",
        "1 V7 N3\nx a\n2 b\n",
        "1 V0 N1\n",
        "1 V7 N3\n1 %4\n2 b\n",
    ] {
        let ground = Ground::new();
        ground.write(text);
        let mut folder = Folder::of(&["a", "b"]);
        let (generation, next) = ground.number(&mut Numbers::default(), true, &mut folder);
        assert!(generation.validity().unwrap().0 > 1_000_000_000, "{text:?}");
        assert_eq!((folder.numbers(), next), (vec![1, 2], 3), "{text:?}");
    }
}

#[test]
fn what_is_only_read_is_numbered_without_a_trace() {
    let ground = Ground::new();
    let mut numbers = Numbers::default();
    let mut folder = Folder::of(&["a", "b"]);
    assert_eq!(
        ground.number(&mut numbers, false, &mut folder),
        (Generation::Passing, 3)
    );
    // The same run sees the same numbers, and new messages get others.
    let mut later = Folder::of(&["0", "b"]);
    ground.number(&mut numbers, false, &mut later);
    assert_eq!(
        later.told(),
        [("0".to_owned(), Some(3)), ("b".to_owned(), Some(2))]
    );
    assert!(ground.dir.contents(b"mailferry-uids", 1).unwrap().is_none());
}

#[test]
fn a_complete_list_serves_a_mailbox_that_is_only_read_for_the_whole_run() {
    let ground = Ground::new();
    ground.write("1 V7 N5\n1 a\n4 b\n");
    let mut numbers = Numbers::default();
    let mut folder = Folder::of(&["a", "b"]);
    let lasting = Generation::Lasting(UidValidity(7));
    assert_eq!(
        ground.number(&mut numbers, false, &mut folder),
        (lasting, 5)
    );
    let mut later = Folder::of(&["a", "b", "new"]);
    assert_eq!(ground.number(&mut numbers, false, &mut later), (lasting, 5));
    assert_eq!(
        later.numbers(),
        [1, 4],
        "what came meanwhile is the next run's"
    );
    let mut incomplete = Folder::of(&["a", "x"]);
    assert_eq!(
        ground.number(&mut Numbers::default(), false, &mut incomplete),
        (Generation::Passing, 3)
    );
    // Another program's list works too.
    let theirs = |each: &mut dyn FnMut(u32, &[u8])| {
        each(8, b"x");
        each(9, b"a");
        Some(Lines {
            validity: 3,
            next: 10,
            count: 2,
            sound: 0,
        })
    };
    let mut folder = Folder::of(&["a", "x"]);
    let told = Numbers::default()
        .number(&ground.place(false), &mut folder, &theirs)
        .unwrap();
    assert_eq!(told, (Generation::Lasting(UidValidity(3)), 10));
    assert_eq!(folder.numbers(), [9, 8]);
}

#[test]
fn lists_do_not_grow_for_ever() {
    let ground = Ground::new();
    let lines: String = (1..=10_000).map(|uid| format!("{uid} m{uid}\n")).collect();
    ground.write(&format!("1 V7 N1\n{lines}"));
    let mut folder = Folder::of(&["m9", "m77"]);
    assert_eq!(
        ground.number(&mut Numbers::default(), true, &mut folder).1,
        10_001
    );
    assert_eq!(ground.text(), "1 V7 N10001\n9 m9\n77 m77\n");
}

proptest! {
    #![proptest_config(crate::properties::config())]

    #[test]
    fn every_name_comes_back(name in prop::collection::vec(1u8..=255, 1..60)) {
        let text = escape(&name);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        prop_assert_eq!(unescape(text.as_bytes()), Some(name.clone()));
        let mut line = Vec::new();
        write_line(&mut line, 5, &name).unwrap();
        prop_assert_eq!(parse_line(&line), Some((5, name)));
    }
}
