//! Books in memory: what the service does with each fact, without its database.

use std::collections::BTreeSet;

use anneal_billing::{
    ledger::{Account, Book, Entry, Reason},
    metering::{Bill, Limits, Movement, Terms},
};
use anneal_domain::{
    Microcredits,
    id::{EventId, HoldId},
    money,
};

use crate::history::{History, RATE, Said, TASK, WORKSPACE};

pub(crate) struct Books {
    pub(crate) bill: Bill,
    book: Book,
    posted: Vec<Entry>,
    inbox: BTreeSet<EventId>,
}

impl Books {
    pub(crate) fn with_available(amount: i64) -> Self {
        let bill = Bill::new(TASK, WORKSPACE);
        let mut books = Self { bill, book: Book::default(), posted: Vec::new(), inbox: BTreeSet::new() };
        let grant = Movement { reason: Reason::Grant, amount: Microcredits(amount) };
        books.post("grant", vec![grant]);
        books
    }

    pub(crate) fn place(&mut self, history: &History) {
        self.bill.terms = Some(history.terms);
        self.bill.rate = RATE;
        let amount = match history.terms {
            Terms::Free => return,
            Terms::Estimate(amount) => amount,
            Terms::Metered => money::charge(Limits::default().hold_floor_ms, RATE).unwrap(),
        };
        let movements = self.bill.place(HoldId::from_u128(1), amount).unwrap();
        self.post("hold", movements);
    }

    pub(crate) fn take(&mut self, said: &Said) {
        if !self.inbox.insert(said.event) {
            return;
        }
        self.bill.learn(&said.timed);
        let available = self.available();
        let movements = self.bill.settle(available, &Limits::default()).unwrap();
        self.post(&said.event.to_string(), movements);
    }

    fn post(&mut self, cause: &str, movements: Vec<Movement>) {
        for (n, Movement { reason, amount }) in movements.into_iter().enumerate() {
            assert!(amount > Microcredits::ZERO);
            let operation = format!("{cause}/{n}");
            let entry = Entry { operation, reason, workspace: WORKSPACE, task: Some(TASK), amount };
            assert!(self.book.post(&entry).unwrap(), "{entry:?} twice");
            self.posted.push(entry);
        }
    }

    pub(crate) fn available(&self) -> Microcredits {
        self.book.balance(Account::Available(WORKSPACE))
    }

    /// What holds after every single fact.
    pub(crate) fn check(&self, history: &History) {
        assert_eq!(self.book.sum(), 0);
        assert_eq!(self.book.balance(Account::Held(WORKSPACE)), self.bill.remaining());
        assert_eq!(self.book.balance(Account::Spent(WORKSPACE)), self.bill.charged());
        assert_eq!(self.bill.charged(), self.bill.target().unwrap());
        assert!(self.bill.remaining() >= Microcredits::ZERO, "{:?}", self.bill);
        assert_eq!(self.book.balance(Account::Grants).0, -history.available);
    }

    pub(crate) fn equals_its_replay(&self) {
        assert_eq!(Book::replay(&self.posted).unwrap(), self.book);
        let twice = self.posted.iter().chain(&self.posted);
        assert_eq!(Book::replay(twice).unwrap(), self.book);
    }
}
