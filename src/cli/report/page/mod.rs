//! A report as one self-contained page: it opens from disk without a network, works without
//! scripts, and can be printed.
//!
//! Everything shown is data: texts go through [`shown`] and are escaped by the template, in text
//! and in attributes; all markup comes from the templates. The policy in the page's head allows
//! only its style and its script, by their hashes: nothing is loaded, and a server's text could not
//! run even if it became markup.

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

/// The page's style and script, as embedded.
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

/// A section of the page.
#[derive(Default)]
struct Section {
    /// The anchor, which never contains a server's text.
    id: &'static str,
    title: String,
    /// The number of its entries, for the list of sections.
    count: Option<String>,
    notes: Vec<String>,
    charts: Vec<Chart>,
    tables: Vec<Table>,
}

/// Returns the page.
///
/// # Errors
/// The template's error.
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

/// Prepares a server's text for display: characters that would hide or reverse text become visible.
fn shown(text: &str) -> String {
    harmless::text(text)
}

#[cfg(test)]
mod tests;
