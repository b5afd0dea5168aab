//! The charge of a task under loss, duplication and reordering of its facts; the ledger under everything.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod books;
mod history;

use anneal_billing::metering::{Bill, Fact, Terms};
use anneal_domain::Microcredits;
use proptest::prelude::*;

use crate::{
    books::Books,
    history::{History, history},
};

fn settled(history: &History, facts: &[history::Said]) -> Books {
    let mut books = Books::with_available(history.available);
    if history.hold_first {
        books.place(history);
    }
    for said in facts {
        books.take(said);
        books.check(history);
    }
    books
}

/// An order of the facts made by these draws: every fact at least once, some twice, some of the superseded ones never.
fn schedule(history: &History, draws: &[u32]) -> Vec<history::Said> {
    let mut facts: Vec<(u32, history::Said)> = Vec::new();
    for (n, said) in history.facts.iter().enumerate() {
        let draw = draws[n % draws.len()].wrapping_mul(2_654_435_761).wrapping_add(n as u32 * 40_503);
        let lost = said.superseded && draw.is_multiple_of(3);
        if !lost {
            facts.push((draw.rotate_left(7), said.clone()));
        }
        if draw.is_multiple_of(5) {
            facts.push((draw.rotate_left(19), said.clone()));
        }
    }
    facts.sort_by_key(|(place, _)| *place);
    facts.into_iter().map(|(_, said)| said).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]

    #[test]
    fn totals_depend_on_the_set_of_facts_alone(
        history in history(),
        draws in proptest::collection::vec(any::<u32>(), 1..40),
    ) {
        let in_order = settled(&history, &history.facts);
        let shuffled = settled(&history, &schedule(&history, &draws));
        prop_assert_eq!(in_order.bill.charged(), history.expected());
        prop_assert_eq!(shuffled.bill.charged(), history.expected());
        prop_assert_eq!(&in_order.bill.epochs.keys().collect::<Vec<_>>(), &shuffled.bill.epochs.keys().collect::<Vec<_>>());
        if history.ends {
            prop_assert_eq!(shuffled.bill.remaining(), Microcredits::ZERO);
            prop_assert_eq!(shuffled.available().0, history.available - history.expected().0);
        }
        shuffled.equals_its_replay();
    }

    #[test]
    fn never_more_than_the_leased_time(history in history(), lie in 0_i64..1_000_000_000, at in any::<u32>()) {
        // A worker over-reports, and an old one goes on reporting after its lease.
        let mut facts = history.facts.clone();
        let n = at as usize % facts.len();
        if let Fact::Used { running_ms, .. } = &mut facts[n].timed.fact {
            *running_ms += lie;
            facts[n].timed.at_ms += lie % 7;
        }
        let books = settled(&history, &facts);
        if books.bill.terms == Some(Terms::Metered) {
            for (number, epoch) in &books.bill.epochs {
                prop_assert!(epoch.billable_ms() <= history.leased_ms(*number) + 7, "epoch {number}");
            }
        }
    }
}

#[test]
fn work_that_is_done_again_is_credited() {
    let history = history::one_crash();
    let books = settled(&history, &history.facts);
    // 60 s under the first lease, of which 40 s were kept, then 30 s more: 70 s in all, at 3.6 credits an hour.
    assert_eq!(books.bill.billable_ms(), 70_000);
    assert_eq!(books.bill.credited, Microcredits(20_000));
    assert_eq!(books.bill.charged(), Microcredits(70_000));
}

#[test]
fn a_hold_that_cannot_be_extended_asks_for_a_pause() {
    let mut history = history::one_crash();
    history.available = 650_000;
    let mut books = Books::with_available(history.available);
    books.place(&history);
    assert_eq!(books.bill.held, Microcredits(600_000));
    for said in &history.facts[..3] {
        books.take(said);
        assert!(!books.bill.pause_wanted);
    }
    let long = history.used(1, 580_000);
    books.take(&long);
    assert_eq!(books.bill.held, Microcredits(650_000), "all that was available");
    assert!(!books.bill.pause_wanted, "and enough for the margin");
    let longer = history.used(1, 600_000);
    books.take(&longer);
    assert!(books.bill.pause_wanted);
    books.check(&history);
}

#[test]
fn an_unknown_task_costs_nothing_until_its_terms_are_known() {
    let history = history::one_crash();
    let mut bill = Bill::new(history::TASK, history::WORKSPACE);
    for said in &history.facts[1..] {
        bill.learn(&said.timed);
        assert_eq!(bill.target().unwrap(), Microcredits::ZERO);
    }
    bill.learn(&history.facts[0].timed);
    assert_eq!(bill.target().unwrap(), history.expected());
}
