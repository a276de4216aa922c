//! A report as one self-contained page: it opens from a disk without any network, reads without
//! scripts, and prints.
//!
//! Everything that is shown is data: texts go through [`shown`] and are escaped by the template,
//! for text and for attributes alike; no markup is made outside the templates. The policy in the
//! page's head allows the one style and the one script in it, by their hashes, and nothing else:
//! nothing is loaded, and what a server wrote could not run even if it came to stand in the page as
//! markup.

mod chart;
mod headline;
mod holdings;
mod sections;
mod table;

use super::facts::Facts;
use crate::cli::harmless;
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chart::Chart;
use headline::{Figure, Headline};
use sha2::{Digest as _, Sha256};
use table::Table;

/// The page's style and script, as they stand in it.
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

#[derive(Template)]
#[template(path = "page.html", config = "src/cli/report/page/askama.toml")]
struct Page {
    policy: String,
    style: &'static str,
    script: &'static str,
    version: &'static str,
    headline: Headline,
    figures: Vec<Figure>,
    sections: Vec<Section>,
}

/// A part of the page under a heading.
#[derive(Default)]
struct Section {
    /// The anchor, which is ours.
    id: &'static str,
    title: String,
    /// How many things it is about, for the list of sections.
    count: Option<String>,
    notes: Vec<String>,
    charts: Vec<Chart>,
    tables: Vec<Table>,
}

/// The page.
///
/// # Errors
/// What the template says against it.
pub(super) fn render(facts: &Facts) -> Result<String, askama::Error> {
    let page = Page {
        policy: policy(),
        style: STYLE,
        script: SCRIPT,
        version: facts.version,
        headline: Headline::new(facts),
        figures: headline::figures(facts),
        sections: sections::all(facts),
    };
    page.render()
}

fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// A server's text as it is shown: what would hide or turn it is visible instead.
fn shown(text: &str) -> String {
    harmless::text(text)
}

#[cfg(test)]
mod tests;
