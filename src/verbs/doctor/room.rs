//! D7: whether everything fits: quota, largest message, daily limits of a provider.

use super::Reached;
use super::report::{Report, SideReport, seen};
use super::survey::Survey;
use super::words::{bytes, counted, some};
use crate::event::Check;
use crate::mail::Side;
use crate::store::{Error, ErrorKind, Quota};

const TRIED: &str = "asked for the quota";

/// Makes D7 for each mailbox, and for what the second lacks of the first.
pub(super) fn check(reached: &mut [Reached<'_>], report: &mut Report<'_>) {
    let quotas: Vec<_> = reached
        .iter_mut()
        .map(|one| one.checkup.store().quota())
        .collect();
    let lacking = match reached {
        [source, target] => Some(source.survey.bytes_beyond(&target.survey)),
        _ => None,
    };
    for (one, quota) in reached.iter().zip(quotas) {
        let report = &mut report.of(one.patient.side);
        let to_come = lacking.filter(|_| one.patient.side == Side::TARGET);
        room(quota, one.survey.bytes(), to_come, report);
        a_day(one, to_come.or_else(|| Some(one.survey.bytes())), report);
    }
    if let [source, target] = reached {
        too_large(&source.survey, target, &mut report.of(Side::TARGET));
    }
}

fn room(
    quota: Result<Option<Quota>, Error>,
    held: u64,
    to_come: Option<u64>,
    report: &mut SideReport<'_, '_>,
) {
    let needs = to_come
        .map(|n| format!("; {} left to copy", bytes(n)))
        .unwrap_or_default();
    let quota = match quota {
        Err(error) => {
            let seen = seen(Check::Space, TRIED, error.message);
            return report.doubtful(
                seen,
                "can't tell how much fits",
                "check the account's settings",
            );
        }
        Ok(None) => {
            let result = format!("the server doesn't say; {} in messages{needs}", bytes(held));
            return report.good(
                seen(Check::Space, TRIED, result),
                "the server reports no limit",
            );
        }
        Ok(Some(quota)) => quota,
    };
    let free = quota.limit.saturating_sub(quota.used);
    let result = format!(
        "{} of {} used, {} free{needs}",
        bytes(quota.used),
        bytes(quota.limit),
        bytes(free)
    );
    let seen = seen(Check::Space, TRIED, result);
    if to_come.is_some_and(|n| n > free) {
        let meaning = "a copy would stop when the account is full";
        let advice = "raise the quota, delete mail there, or copy less: --since, --folder, --exclude, --max-size";
        report.failed(seen, ErrorKind::Full, meaning, advice);
    } else if quota.used >= quota.limit / 10 * 9 {
        let meaning = "the account is almost full, and new mail may be refused soon";
        report.doubtful(
            seen,
            meaning,
            "raise the quota or delete mail; copying from it still works",
        );
    } else {
        report.good(seen, "there is enough room");
    }
}

/// Returns how many days it takes with a daily limit.
fn a_day(one: &Reached<'_>, amount: Option<u64>, report: &mut SideReport<'_, '_>) {
    let Some(provider) = one.checkup.provider() else {
        return;
    };
    let (Some(daily), Some(amount)) = (provider.daily, amount) else {
        return;
    };
    let (limit, way) = if one.patient.side == Side::SOURCE {
        (daily.read, "delivers")
    } else {
        (daily.written, "takes")
    };
    let days = amount.div_ceil(limit);
    if days > 1 {
        let result = format!(
            "{} {way} about {} a day, and this is {}",
            provider.name,
            bytes(limit),
            bytes(amount)
        );
        let meaning = format!("it takes about {}", counted(days, "day"));
        let advice = "rerun the same copy once a day, each run resumes where the last one stopped; or start with --since";
        report.doubtful(
            seen(
                Check::Space,
                "compared with what the provider allows",
                result,
            ),
            meaning,
            advice,
        );
    }
}

/// Returns the messages that are too large for the target.
fn too_large(source: &Survey, target: &Reached<'_>, report: &mut SideReport<'_, '_>) {
    let Some(limit) = target.checkup.capabilities().append_limit() else {
        return;
    };
    let large: Vec<String> = (source
        .messages()
        .filter(|(_, message)| u64::from(message.size()) > limit))
    .map(|(folder, message)| {
        format!(
            "{} UID {} ({})",
            folder.name,
            message.uid().get(),
            bytes(u64::from(message.size()))
        )
    })
    .collect();
    let tried = format!(
        "compared the source's messages with the largest the target accepts, {}",
        bytes(limit)
    );
    if large.is_empty() {
        report.good(
            seen(Check::Space, tried, "none is larger"),
            "no message is too large",
        );
        return;
    }
    let meaning = format!(
        "the target will refuse {}; the rest will be copied",
        counted(large.len() as u64, "message")
    );
    let advice = format!("save them elsewhere, and skip them with --max-size {limit}");
    report.doubtful(seen(Check::Space, tried, some(&large)), meaning, advice);
}
