//! Ways to spoil a good file, for `proptest`.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Numbers at which lengths, counts and offsets go wrong.
const EDGES: [u64; 12] =
    [0, 1, 7, 0x7f, 0xff, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 62, u64::MAX / 2, u64::MAX];

/// One change. Places are shares of the length, so that they stay valid while the file changes.
#[derive(Debug, Clone)]
pub(crate) enum Mutation {
    Flip(Index, u8),
    Number(Index, u64),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, Index, usize),
    Cut(Index),
}

/// One to eight changes; texts of `words` are inserted among others.
pub(crate) fn mutations(words: &'static [&'static str]) -> impl Strategy<Value = Vec<Mutation>> {
    let word = select(words).prop_map(|word| word.as_bytes().to_vec());
    let place = any::<Index>;
    let one = prop_oneof![
        3 => (place(), 1_u8..).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        2 => (place(), select(&EDGES[..])).prop_map(|(at, number)| Mutation::Number(at, number)),
        3 => (place(), word).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (place(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (place(), 1_usize..40).prop_map(|(at, length)| Mutation::Remove(at, length)),
        1 => (place(), place(), 1_usize..200).prop_map(|(to, from, n)| Mutation::Repeat(to, from, n)),
        1 => place().prop_map(Mutation::Cut),
    ];
    vec(one, 1..9)
}

/// A copy of `good` with the changes made in turn.
pub(crate) fn spoilt(good: &[u8], mutations: &[Mutation]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for mutation in mutations {
        mutation.apply(&mut bytes);
    }
    bytes
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: &Index| at.index(length + 1);
        let end = |at: usize, n: usize| (at + n).min(length);
        match self {
            Self::Flip(at, bits) => {
                if let Some(byte) = bytes.get_mut(place(at)) {
                    *byte ^= bits;
                }
            }
            Self::Number(at, number) => {
                let at = place(at);
                let to = end(at, 8);
                bytes[at..to].copy_from_slice(&number.to_le_bytes()[..to - at]);
            }
            Self::Insert(at, inserted) => drop(bytes.splice(place(at)..place(at), inserted.clone())),
            Self::Remove(at, n) => drop(bytes.drain(place(at)..end(place(at), *n))),
            Self::Repeat(to, from, n) => {
                let copied = bytes[place(from)..end(place(from), *n)].to_vec();
                drop(bytes.splice(place(to)..place(to), copied));
            }
            Self::Cut(at) => bytes.truncate(place(at)),
        }
    }
}
