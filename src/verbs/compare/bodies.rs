//! Tells messages apart by their bodies where headers, dates and sizes can't: ties, and recorded
//! pairs that are probed.

use super::{Compared, Comparison, uids};
use crate::exec::{Link, read_tied};
use crate::mail::{HeaderKey, Side};
use crate::plan::{Likeness, Settled, Tie, look_alike, settle};
use crate::store::{AsReadStore, Error};

impl<C: AsReadStore> Comparison<'_, C> {
    /// Checks whether recorded pairs are still the same messages, by the headers of those with the
    /// highest UIDs. If not, none is trusted. Returns the pairs that only their bodies can decide.
    pub(super) fn probe(&self, index: usize, compared: &mut Compared) -> Vec<(u32, u32)> {
        let differing = self.differing(index, compared);
        if differing.iter().any(|(_, looks_alike)| !looks_alike) {
            compared.believe_no_record();
            return Vec::new();
        }
        differing.into_iter().map(|(pair, _)| pair).collect()
    }

    /// Compares the bodies of recorded pairs whose headers differ and that look alike otherwise: a
    /// server may have changed the header, or the UID may belong to another message of the same
    /// size and date by now.
    pub(super) fn probe_bodies(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &mut Compared,
        unclear: Vec<(u32, u32)>,
    ) -> Result<(), Error> {
        for (source, target) in unclear {
            let tie = Tie {
                source: vec![source],
                target: vec![target],
            };
            if self
                .settle_by_bodies(link, index, compared, &tie)?
                .pairs
                .is_empty()
            {
                compared.believe_no_record();
                break;
            }
        }
        Ok(())
    }

    /// Returns the recorded pairs to probe whose header keys differ, and whether they look alike
    /// otherwise.
    fn differing(&self, index: usize, compared: &Compared) -> Vec<((u32, u32), bool)> {
        let (Some(known), Some(target)) = (&self.pairs[index].known, &compared.target) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for pair in known.to_probe(&compared.recognised, &compared.source, target) {
            let (source, target) = (
                &compared.source.messages[pair.0 as usize],
                &target.messages[pair.1 as usize],
            );
            let are_known = [source, target].iter().all(|message| {
                matches!(
                    message.key(),
                    HeaderKey::WithId(_) | HeaderKey::WithoutId(_)
                )
            });
            if are_known && source.key() != target.key() {
                found.push((pair, look_alike(source, target)));
            }
        }
        found
    }

    /// Reads the bodies of a tie and decides which is which. Does nothing if the target has no
    /// folder.
    pub(super) fn settle_by_bodies(
        &self,
        link: &mut Link<C>,
        index: usize,
        compared: &Compared,
        tie: &Tie,
    ) -> Result<Settled, Error> {
        let pair = &self.pairs[index];
        let (Some(target), Some(target_name)) = (&compared.target, &pair.target) else {
            return Ok(Settled::default());
        };
        let source = &compared.source;
        let on_source = uids(source, &tie.source);
        let on_source = read_tied(
            link.source.reading(),
            &pair.source,
            source.uid_validity,
            &on_source,
        )?;
        let on_target = uids(target, &tie.target);
        let on_target = read_tied(
            link.target.reading(),
            target_name,
            target.uid_validity,
            &on_target,
        )?;
        Ok(settle(tie, |side, at| {
            let (scan, contents) = match side {
                Side::SOURCE => (source, &on_source),
                Side::TARGET => (target, &on_target),
            };
            let message = &scan.messages[at as usize];
            Some(Likeness::new(contents.get(&message.uid())?, message))
        }))
    }
}
