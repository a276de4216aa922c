//! Values that several tests of the command line share.

use mailferry::store::Traffic;
use mailferry::verbs::{CopySummary, Status, SyncSummary, SyncWay, VerifySummary};

/// A copy that went well.
pub(crate) fn copy_summary() -> CopySummary {
    CopySummary {
        status: Status::Complete,
        folders: 18,
        folders_created: 17,
        folders_renamed: 0,
        folders_deleted: 0,
        copied: 3089,
        copied_server_side: 0,
        already_there: 12,
        flags_updated: 0,
        deleted: 0,
        kept: 0,
        repaired: 0,
        not_deleted: 0,
        only_in_views: Vec::new(),
        failed: 0,
        folders_failed: 0,
        skipped: 0,
        left_out: Vec::new(),
        bytes_copied: 40_200_000,
        seconds: 1.9,
        source_traffic: Traffic { sent: 1, received: 2, round_trips: 3 },
        target_traffic: Traffic { sent: 4, received: 5, round_trips: 6 },
    }
}

/// A comparison that found no difference.
pub(crate) fn verify_summary() -> VerifySummary {
    VerifySummary {
        status: Status::Complete,
        folders: 18,
        compared: 3101,
        missing: 0,
        extra: 0,
        changed: 0,
        flags_differ: 0,
        dates_differ: 0,
        failed: 0,
        bytes_compared: 0,
        left_out: Vec::new(),
        seconds: 0.75,
    }
}

/// A sync that went well.
pub(crate) fn sync_summary() -> SyncSummary {
    SyncSummary {
        status: Status::Complete,
        folders: 18,
        to_first: SyncWay { copied: 2, bytes_copied: 900, flags_updated: 1, ..SyncWay::default() },
        to_second: SyncWay { copied: 3, bytes_copied: 100, moved: 4, deleted: 1, conflicts: 1, ..SyncWay::default() },
        already_there: 3089,
        held_back: 0,
        failed: 0,
        folders_failed: 0,
        skipped: 0,
        left_out: Vec::new(),
        seconds: 0.4,
        first_traffic: Traffic { sent: 1, received: 2, round_trips: 3 },
        second_traffic: Traffic { sent: 4, received: 5, round_trips: 6 },
    }
}
