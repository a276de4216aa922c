//! `doctor` for users: each check as it is made, with important ones explained.

use crate::cli::console::Paint;
use crate::cli::harmless;
use crate::cli::output::Output;
use crate::cli::units;
use mailferry::event::{Event, Finding, Observer, Verdict};
use mailferry::verbs::DoctorSummary;
use std::sync::Arc;

/// Prints findings as they come.
pub(crate) struct Findings {
    output: Arc<Output>,
    paint: Paint,
    /// Whether there are two mailboxes to tell apart.
    has_sides: bool,
}

impl Findings {
    /// Makes one that prints to `output`.
    pub(crate) fn new((output, paint): (Arc<Output>, Paint), has_sides: bool) -> Self {
        Self {
            output,
            paint,
            has_sides,
        }
    }
}

impl Observer for Findings {
    fn observe(&self, event: &Event<'_>) {
        if let Event::Found(finding) = event {
            for line in lines(finding, self.has_sides, self.paint) {
                self.output.line(&line);
            }
        }
    }
}

fn lines(finding: &Finding, has_sides: bool, paint: Paint) -> Vec<String> {
    let word = match finding.verdict {
        Verdict::Good => paint.green("ok     "),
        Verdict::Doubtful => paint.yellow("warning"),
        Verdict::Failed => paint.red("FAILED "),
        Verdict::Skipped => "skipped".to_owned(),
    };
    let check = format!("D{} {}", finding.check.number(), finding.check.name());
    let side = if has_sides {
        format!("{:<7}", finding.side.name())
    } else {
        String::new()
    };
    let head = format!("{word}  {side}{check:<15}");
    if finding.verdict == Verdict::Skipped {
        return vec![format!("{head} {}", harmless::text(&finding.meaning))];
    }
    let mut lines = vec![format!("{head} {}", harmless::text(&finding.tried))];
    let mut more =
        |label: &str, text: &str| lines.push(format!("         {label} {}", harmless::text(text)));
    more("came back:", &finding.result);
    more("means:    ", &finding.meaning);
    if let Some(advice) = &finding.advice {
        more("do:       ", advice);
    }
    lines
}

/// Writes the last line.
pub(crate) fn summary(summary: &DoctorSummary, paint: Paint) -> String {
    let verdict = match (summary.failed, summary.doubtful) {
        (0, 0) => paint.green("healthy"),
        (0, _) => paint.yellow("usable"),
        _ => paint.red("problems found"),
    };
    format!(
        "{verdict}: {} ok, {}, {} failed, {} skipped, in {}",
        summary.good,
        units::counted(summary.doubtful, "warning"),
        summary.failed,
        summary.skipped,
        units::seconds(summary.seconds)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::When;
    use mailferry::event::Check;
    use mailferry::mail::Side;

    #[test]
    fn a_finding_shows_attempt_result_meaning_and_advice() {
        let finding = Finding {
            side: Side::SOURCE,
            check: Check::Login,
            verdict: Verdict::Failed,
            tried: "logged in as ann".to_owned(),
            result: "NO \x1b[31m".to_owned(),
            meaning: "wrong".to_owned(),
            advice: Some("check it".to_owned()),
        };
        let paint = Paint::new(When::Never, false);
        let expected = [
            "FAILED   D5 login        logged in as ann",
            "         came back: NO \\u{1b}[31m",
            "         means:     wrong",
            "         do:        check it",
        ];
        assert_eq!(lines(&finding, false, paint), expected);
        let skipped = Finding {
            verdict: Verdict::Skipped,
            advice: None,
            ..finding
        };
        assert_eq!(
            lines(&skipped, true, paint),
            ["skipped  source D5 login        wrong"]
        );
    }

    #[test]
    fn the_last_line_counts() {
        let counts = DoctorSummary {
            good: 9,
            doubtful: 1,
            skipped: 2,
            ..DoctorSummary::default()
        };
        let paint = Paint::new(When::Never, false);
        assert_eq!(
            summary(&counts, paint),
            "usable: 9 ok, 1 warning, 0 failed, 2 skipped, in 0 s"
        );
    }
}
