//! Findings: reported as they are made, and counted.

use super::DoctorSummary;
use crate::event::{Check, Event, Finding, Observer, Verdict};
use crate::mail::Side;
use crate::store::ErrorKind;

/// Reports and counts findings.
pub(super) struct Report<'a> {
    observer: &'a dyn Observer,
    pub(super) summary: DoctorSummary,
}

/// Reports the findings about one mailbox.
pub(super) struct SideReport<'a, 'o> {
    side: Side,
    report: &'a mut Report<'o>,
}

/// What a check saw, without its meaning yet.
pub(super) struct Seen {
    check: Check,
    tried: String,
    result: String,
}

/// Starts a finding: what was tried, and what came back.
pub(super) fn seen(check: Check, tried: impl Into<String>, result: impl Into<String>) -> Seen {
    Seen {
        check,
        tried: tried.into(),
        result: result.into(),
    }
}

impl<'o> Report<'o> {
    pub(super) fn new(observer: &'o dyn Observer) -> Self {
        Self {
            observer,
            summary: DoctorSummary::default(),
        }
    }

    pub(super) fn of(&mut self, side: Side) -> SideReport<'_, 'o> {
        SideReport { side, report: self }
    }
}

impl SideReport<'_, '_> {
    /// Reports success.
    pub(super) fn good(&mut self, seen: Seen, meaning: impl Into<String>) {
        self.tell(seen, Verdict::Good, meaning.into(), None);
    }

    /// Reports a warning: it works, but there is something to know.
    pub(super) fn doubtful(
        &mut self,
        seen: Seen,
        meaning: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.tell(seen, Verdict::Doubtful, meaning.into(), Some(advice.into()));
    }

    /// Reports a failure.
    pub(super) fn failed(
        &mut self,
        seen: Seen,
        kind: ErrorKind,
        meaning: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.report.summary.failure.get_or_insert(kind);
        self.tell(seen, Verdict::Failed, meaning.into(), Some(advice.into()));
    }

    /// Reports that the check doesn't apply.
    pub(super) fn skipped(&mut self, check: Check, meaning: impl Into<String>) {
        self.tell(seen(check, "", ""), Verdict::Skipped, meaning.into(), None);
    }

    fn tell(&mut self, seen: Seen, verdict: Verdict, meaning: String, advice: Option<String>) {
        let Seen {
            check,
            tried,
            result,
        } = seen;
        let finding = Finding {
            side: self.side,
            check,
            verdict,
            tried,
            result,
            meaning,
            advice,
        };
        let summary = &mut self.report.summary;
        let count = match verdict {
            Verdict::Good => &mut summary.good,
            Verdict::Doubtful => &mut summary.doubtful,
            Verdict::Failed => &mut summary.failed,
            Verdict::Skipped => &mut summary.skipped,
        };
        *count += 1;
        self.report.observer.observe(&Event::Found(&finding));
    }
}
