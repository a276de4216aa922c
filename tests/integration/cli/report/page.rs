//! The page of a real run in a real browser: it renders, sorts, filters, works without scripts,
//! loads nothing, and shows the contents of hostile mailboxes as text.

use super::{Reports, with_subject};
use crate::lab::browser::Browser;
use crate::lab::client::Client;
use crate::lab::generator;
use crate::lab::mailboxes::empty;
use crate::lab::run::{copy, verify};
use crate::lab::servers::Personality;
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// Names of folders that would be markup, scripts or another text, if they were let.
const FOLDERS: [&str; 4] = [
    "<script>owned=1<b>",
    "\"><img src=x onerror=owned=1>",
    "' onclick='owned=1",
    "exe\u{202e}cod",
];
/// The same as subjects, one of them with a line end in it.
const SUBJECTS: [&str; 3] = [
    "</title></style></script><script>window.owned=1</script>",
    "\"><img src=http://127.0.0.1:9/x onerror=window.owned=1>",
    "=?utf-8?Q?two=0D=0Alines_=E2=80=AEturned?=",
];

/// The pages of a copy, and of a comparison that finds differences.
fn pages(reports: &Reports) -> [PathBuf; 2] {
    let (source, target) = (
        empty("reportpage", Personality::Plain),
        empty("reportpagedst", Personality::Plain),
    );
    let mut client = Client::login(&source);
    client.fill(&generator::mailbox(11, 150));
    for (at, name) in FOLDERS.iter().enumerate() {
        client.create(&[*name]);
        // Large ones, so that their subjects are in the page; each twice.
        let hostile = |_| {
            with_subject(
                at,
                SUBJECTS[at % SUBJECTS.len()],
                &"x\r\n".repeat(400_000 + at),
            )
        };
        client.append(
            &[*name],
            (0..2).map(hostile).collect::<Vec<_>>().into_iter(),
        );
    }
    let pages = ["copy.html", "verify.html"].map(|name| reports.path(name));
    let options = pages
        .each_ref()
        .map(|page| ["--report", page.to_str().unwrap()]);
    copy(&source, &target, &options[0]).ended(0);
    client.select(&["INBOX"]);
    client.store("1:9", "+FLAGS", "\\Flagged");
    verify(&source, &target, &options[1]).ended(4);
    pages
}

#[test]
fn a_page_works_in_a_browser() {
    let reports = Reports::new();
    let [copied, compared] = pages(&reports);
    let mut browser = Browser::start();
    for page in [&copied, &compared] {
        browser.prefer("light", "screen");
        browser.let_scripts_run(true);
        browser.open(page);
        nothing_is_loaded(&mut browser);
        hostile_texts_are_texts(&mut browser);
        tables_sort(&mut browser);
        tables_filter(&mut browser);
        it_can_be_used_by_everybody(&mut browser);
        nothing_runs_that_is_not_the_pages_own(&mut browser);
        it_reads_without_scripts(&mut browser, page);
    }
}

fn nothing_is_loaded(browser: &mut Browser) {
    let requests = browser.requests();
    assert!(
        requests.len() == 1 && requests[0].starts_with("file://"),
        "{requests:?}"
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

fn hostile_texts_are_texts(browser: &mut Browser) {
    assert_eq!(browser.value("typeof window.owned"), "undefined");
    assert_eq!(
        browser.value("[document.images.length, document.scripts.length, document.querySelectorAll('b').length]"),
        json!([0, 1, 0])
    );
    let cells = browser.value(
        "[...document.querySelectorAll('tbody th, tbody td')].map(cell => cell.querySelector('bdi').textContent)",
    );
    let cells: Vec<&str> = cells
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    for text in FOLDERS[..3]
        .iter()
        .chain(&SUBJECTS[..2])
        .chain(&["exe\\u{202e}cod", "two lines \\u{202e}turned"])
    {
        assert!(cells.contains(text), "{text} is not in {cells:?}");
    }
}

/// What stands in a column of the first table that has this heading.
fn column(browser: &mut Browser, title: &str) -> Vec<u64> {
    let numbers = browser.value(&format!(
        "(() => {{ const table = document.querySelector('#folders table');
           const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent === '{title}');
           return [...table.tBodies[0].rows].map(row => Number(row.cells[at].dataset.n)); }})()"
    ));
    numbers
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_u64().unwrap())
        .collect()
}

fn click(browser: &mut Browser, title: &str) -> Value {
    browser.value(&format!(
        "(() => {{ const head = [...document.querySelectorAll('#folders thead th')].find(cell => cell.textContent === '{title}');
           head.querySelector('button').click(); return head.getAttribute('aria-sort'); }})()"
    ))
}

fn tables_sort(browser: &mut Browser) {
    let before = column(browser, "Messages");
    let mut ascending = before.clone();
    ascending.sort_unstable();
    assert!(before != ascending && before.len() > 18, "{before:?}");
    assert_eq!(click(browser, "Messages"), "descending");
    assert!(column(browser, "Messages").iter().rev().eq(&ascending));
    assert_eq!(click(browser, "Messages"), "ascending");
    assert_eq!(column(browser, "Messages"), ascending);
    let first = browser.value("document.querySelector('#folders thead th').textContent");
    assert_eq!(click(browser, first.as_str().unwrap()), "ascending");
    let names = browser
        .value("[...document.querySelectorAll('#folders tbody th')].map(cell => cell.textContent)");
    let sorted = browser.value(
        "[...document.querySelectorAll('#folders tbody th')].map(cell => cell.textContent)
           .sort((a, b) => a.localeCompare(b, undefined, { numeric: true }))",
    );
    assert_eq!(names, sorted);
}

fn tables_filter(browser: &mut Browser) {
    let show = |browser: &mut Browser, text: &str| {
        browser.value(&format!(
            "(() => {{ const box = document.querySelector('#folders .table'); const input = box.querySelector('input');
               input.value = {}; input.dispatchEvent(new Event('input'));
               const shown = [...box.querySelectorAll('tbody tr')].filter(row => row.checkVisibility()).length;
               return [shown, box.querySelector('output').textContent]; }})()",
            json!(text)
        ))
    };
    let all = browser
        .value("document.querySelectorAll('#folders tbody tr').length")
        .as_u64()
        .unwrap();
    assert_eq!(show(browser, "<SCRIPT>"), json!([1, format!("1 of {all}")]));
    assert_eq!(
        show(browser, "nothing has this"),
        json!([0, format!("0 of {all}")])
    );
    assert_eq!(show(browser, ""), json!([all, ""]));
}

/// Headings, captions and names for what is drawn; texts that can be told from their ground, in
/// both schemes and on paper.
fn it_can_be_used_by_everybody(browser: &mut Browser) {
    let lacking = browser.value(
        "[...document.querySelectorAll('table')].filter(table => !table.caption?.textContent
             || [...table.tHead.rows[0].cells].some(cell => cell.scope !== 'col')
             || [...table.tBodies[0].rows].some(row => row.cells[0].scope !== 'row')).length
         + [...document.querySelectorAll('svg')].filter(one => !one.getAttribute('aria-label') && one.ariaHidden !== 'true').length
         + [...document.querySelectorAll('input')].filter(one => one.labels.length === 0).length",
    );
    assert_eq!(lacking, 0);
    assert_eq!(
        browser.value("[document.documentElement.lang, document.querySelectorAll('h1').length]"),
        json!(["en", 1])
    );
    assert!(
        browser
            .value("document.querySelectorAll('.chart svg rect').length")
            .as_u64()
            > Some(4)
    );
    for (scheme, medium) in [("light", "screen"), ("dark", "screen"), ("light", "print")] {
        browser.prefer(scheme, medium);
        let faint = browser.value(FAINT);
        assert_eq!(faint, json!([]), "{scheme} {medium}");
        assert!(
            browser
                .value("document.documentElement.scrollWidth <= innerWidth")
                .as_bool()
                .unwrap(),
            "{scheme} {medium}"
        );
    }
    let dark = |browser: &mut Browser, scheme| {
        browser.prefer(scheme, "screen");
        browser.value("getComputedStyle(document.body).backgroundColor")
    };
    assert_ne!(dark(browser, "dark"), dark(browser, "light"));
}

/// Texts whose contrast is below 4.5 (WCAG 2.2, 1.4.3).
const FAINT: &str = "(() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (c) => { const [r, g, b] = [...c].slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (one) => { for (; one; one = one.parentElement) {
    const colour = rgb(getComputedStyle(one).backgroundColor); if (colour[3] === 255) return colour; } return rgb('white'); };
  const faint = [];
  for (const one of document.querySelectorAll('body *')) {
    const texts = [...one.childNodes].filter(node => node.nodeType === 3 && node.data.trim() !== '');
    if (texts.length === 0 || !one.checkVisibility() || ['SCRIPT', 'STYLE', 'TITLE', 'title'].includes(one.tagName)) continue;
    const style = getComputedStyle(one);
    const ink = light(rgb(one.namespaceURI.endsWith('svg') ? style.fill : style.color));
    const paper = light(ground(one));
    const contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (contrast < 4.5) faint.push(`${one.tagName} ${one.className} ${texts[0].data.trim()}: ${contrast.toFixed(2)}`);
  }
  return faint.slice(0, 9);
})()";

/// Markup that came to stand in the page all the same would do nothing, and tell nobody.
fn nothing_runs_that_is_not_the_pages_own(browser: &mut Browser) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let outside = format!(
        "http://127.0.0.1:{}/",
        listener.local_addr().unwrap().port()
    );
    browser.value(&format!(
        "(async () => {{
           const script = document.createElement('script'); script.textContent = 'window.owned = 1';
           const button = document.createElement('button'); button.setAttribute('onclick', 'window.owned = 1');
           const image = document.createElement('img'); image.src = '{outside}image';
           document.body.append(script, button, image); button.click();
           await fetch('{outside}fetch').catch(() => {{}});
           await new Promise(done => setTimeout(done, 100));
         }})()"
    ));
    assert_eq!(browser.value("typeof window.owned"), "undefined");
    let complaints = browser.complaints();
    for directive in ["script-src", "default-src"] {
        assert!(
            complaints
                .iter()
                .any(|complaint| complaint.contains(directive)),
            "{directive}: {complaints:?}"
        );
    }
    let asked = listener.accept();
    assert!(
        asked
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "{asked:?}"
    );
}

fn it_reads_without_scripts(browser: &mut Browser, page: &Path) {
    let texts = "[...document.querySelectorAll('h1, h2, dd, caption, th, td')].map(one => one.textContent.trim())";
    browser.open(page);
    let with = browser.value(texts);
    browser.let_scripts_run(false);
    browser.open(page);
    assert_eq!(
        browser.value("document.querySelectorAll('button, input').length"),
        0,
        "nothing stands there that does nothing"
    );
    assert_eq!(browser.value(texts), with);
    let hidden = browser.value(
        "[...document.querySelectorAll('section')].filter(one => !one.checkVisibility()).length",
    );
    assert_eq!(hidden, 0);
}
