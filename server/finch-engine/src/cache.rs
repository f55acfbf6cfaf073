//! Which key-value slot a prompt gets: pure arithmetic over what the slots hold.
//!
//! A prompt continues the slot it shares most with, if most of that slot's lasting part is shared: then nothing of
//! worth is lost. Otherwise it gets an empty or the longest unused slot, and the shared tokens are copied there, so
//! that a look into another file does not throw away the file one came from. What batch work left goes before what a
//! person will come back to.

/// What a slot holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'t> {
    pub(crate) tokens: &'t [u32],
    /// How many tokens in front the next request of the same place would share.
    pub(crate) stable: usize,
    pub(crate) worth: Worth,
    /// A running sequence writes here.
    pub(crate) busy: bool,
}

/// How much a slot is worth keeping; greater is more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Worth {
    pub(crate) user: User,
    /// When it was used last; greater is later.
    pub(crate) used: u64,
}

/// For whom a slot was used last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum User {
    #[default]
    Batch,
    /// Somebody who waits, or is expected to.
    Person,
}

/// Where a prompt goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) slot: usize,
    /// Tokens at the front of the prompt that are in the slot already, or in `copy_from`.
    pub(crate) shared: usize,
    pub(crate) copy_from: Option<usize>,
}

/// Places a prompt of which `stable` tokens are lasting; nothing if every slot is busy.
pub(crate) fn place(prompt: &[u32], stable: usize, slots: &[Held<'_>]) -> Option<Placement> {
    // The last token is always computed: its logits are wanted.
    let reusable = &prompt[..prompt.len().saturating_sub(1)];
    let shared: Vec<usize> = slots.iter().map(|slot| common(reusable, slot.tokens)).collect();
    let free = || (0..slots.len()).filter(|&slot| !slots[slot].busy);
    let best = (0..slots.len()).max_by_key(|&slot| (shared[slot], !slots[slot].busy, slots[slot].worth))?;
    let most_is_shared = shared[best] * 2 >= slots[best].stable.min(stable).max(1);
    if !slots[best].busy && most_is_shared {
        return Some(Placement { slot: best, shared: shared[best], copy_from: None });
    }
    let oldest = |slot: &usize| (!slots[*slot].tokens.is_empty(), slots[*slot].worth);
    let slot = free().filter(|&slot| slot != best).min_by_key(oldest).or_else(|| free().next())?;
    let copy_from = (slot != best && shared[best] > shared[slot]).then_some(best);
    Some(Placement { slot, shared: shared[copy_from.unwrap_or(slot)], copy_from })
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::{Held, Placement, User, Worth, place};

    fn held(tokens: &[u32], used: u64) -> Held<'_> {
        Held { tokens, stable: tokens.len(), worth: Worth { user: User::Person, used }, busy: false }
    }

    fn busy(tokens: &[u32], used: u64) -> Held<'_> {
        Held { busy: true, ..held(tokens, used) }
    }

    #[track_caller]
    fn check(prompt: &[u32], slots: &[Held<'_>], slot: usize, shared: usize, copy_from: Option<usize>) {
        assert_eq!(place(prompt, prompt.len(), slots), Some(Placement { slot, shared, copy_from }));
    }

    #[test]
    fn the_first_prompt_takes_the_first_slot() {
        check(&[1, 2, 3], &[held(&[], 0), held(&[], 0)], 0, 0, None);
    }

    #[test]
    fn a_grown_prompt_continues_its_slot() {
        check(&[1, 2, 3, 4, 5], &[held(&[9, 9], 2), held(&[1, 2, 3, 4], 1), held(&[], 0)], 1, 4, None);
    }

    #[test]
    fn the_last_token_is_computed_again() {
        check(&[1, 2, 3], &[held(&[1, 2, 3, 4], 1)], 0, 2, None);
    }

    #[test]
    fn a_prompt_that_shares_little_leaves_the_good_slot_alone() {
        let good = [1, 2, 3, 4, 5, 6, 7, 8];
        check(&[1, 2, 9, 9, 9, 9, 9, 9], &[held(&good, 3), held(&[7], 2), held(&[8], 1)], 2, 2, Some(0));
        check(&[1, 2, 9, 9, 9, 9, 9, 9], &[held(&good, 3), held(&[7], 2), held(&[], 0)], 2, 2, Some(0));
    }

    #[test]
    fn only_the_lasting_part_counts() {
        // Two lasting tokens, then a suffix that changed place.
        let slot = Held { stable: 2, ..held(&[1, 2, 50, 51, 52, 53, 54], 5) };
        let placement = place(&[1, 2, 3, 50, 51, 52, 53, 54], 3, &[slot, held(&[], 0)]);
        assert_eq!(placement, Some(Placement { slot: 0, shared: 2, copy_from: None }));
    }

    #[test]
    fn a_busy_slot_is_copied_from_and_never_taken() {
        check(&[1, 2, 3, 4], &[busy(&[1, 2, 3], 9), held(&[5], 1)], 1, 3, Some(0));
        assert_eq!(place(&[1], 1, &[busy(&[1], 1), busy(&[], 0)]), None);
    }

    #[test]
    fn without_another_free_slot_the_good_one_is_used_after_all() {
        let good = [1, 2, 3, 4, 5, 6];
        check(&[1, 9, 9, 9, 9, 9], &[held(&good, 3), busy(&[7], 4)], 0, 1, None);
    }

    #[test]
    fn what_batch_work_left_goes_before_what_a_person_used() {
        let batch = Held { worth: Worth { user: User::Batch, used: 9 }, ..held(&[2], 0) };
        check(&[6, 6], &[held(&[1], 5), batch, held(&[3], 4)], 1, 0, None);
    }

    #[test]
    fn nothing_in_common_goes_to_the_longest_unused() {
        check(&[6, 6], &[held(&[1], 5), held(&[2], 3), held(&[3], 4)], 1, 0, None);
    }
}
