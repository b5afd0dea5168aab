//! Which item comes n-th: file order, or a new permutation for each pass, always the same for a seed.

use anneal_model::formula;

/// The order in which items are taken. A position is all there is to save.
pub(crate) struct Order {
    items: u64,
    seed: Option<u64>,
    /// The pass in hand and its permutation.
    pass: Option<(u64, Vec<u32>)>,
}

impl Order {
    /// `items` items, shuffled by `seed` or in file order.
    pub(crate) fn new(items: u64, seed: Option<u64>) -> Self {
        Self { items, seed, pass: None }
    }

    /// The item at `position`, counted on over all passes.
    pub(crate) fn item(&mut self, position: u64) -> u64 {
        let (pass, index) = (position / self.items, position % self.items);
        let Some(seed) = self.seed else { return index };
        if self.pass.as_ref().is_none_or(|(held, _)| *held != pass) {
            self.pass = Some((pass, permutation(self.items, formula::bits(seed, pass))));
        }
        let (_, permutation) = self.pass.as_ref().expect("set just above");
        u64::from(permutation[index as usize])
    }
}

/// Fisher and Yates's shuffle, with draws from the formula's stream `key`.
fn permutation(items: u64, key: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..items as u32).collect();
    for last in (1..order.len()).rev() {
        let draw = formula::bits(0, key.wrapping_add(last as u64));
        // 64 random bits scaled to 0..=last; the bias is below items / 2^64.
        let pick = ((u128::from(draw) * (last as u128 + 1)) >> 64) as usize;
        order.swap(last, pick);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_is_a_permutation_of_its_own() {
        let mut order = Order::new(50, Some(3));
        let first: Vec<_> = (0..50).map(|n| order.item(n)).collect();
        let second: Vec<_> = (50..100).map(|n| order.item(n)).collect();
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..50).collect::<Vec<_>>());
        assert_ne!(first, second);
        assert_eq!(order.item(7), first[7]);
    }

    #[test]
    fn file_order_wraps_around() {
        let mut order = Order::new(3, None);
        assert_eq!((0..5).map(|n| order.item(n)).collect::<Vec<_>>(), [0, 1, 2, 0, 1]);
    }
}
