//! A deterministic split into training, validation and test rows that needs no count of the rows.

use serde::{Deserialize, Serialize};

/// Which part a row belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Trained on.
    Train,
    /// Validated on during training.
    Validation,
    /// Held back.
    Test,
}

/// Shares in per cent, and the seed that says which row falls where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    percent: [u32; 3],
    seed: u64,
}

impl Split {
    /// A split by `percent` (training, validation, test; sums to 100, training above 0).
    ///
    /// # Errors
    /// Says which rule the shares break.
    pub fn deterministic(percent: [u32; 3], seed: u64) -> Result<Self, String> {
        let sum: u64 = percent.iter().map(|&share| u64::from(share)).sum();
        if sum != 100 {
            return Err(format!("the shares sum to {sum}, not to 100"));
        }
        if percent[0] == 0 {
            return Err("the training share must be above 0".to_owned());
        }
        Ok(Self { percent, seed })
    }

    /// The part of row `row_index` (from 0): a function of the seed and the index alone.
    pub fn part(&self, row_index: u64) -> Part {
        if self.percent[0] == 100 {
            return Part::Train;
        }
        let share = splitmix(self.seed.wrapping_mul(0xD134_2543_DE82_EF95).wrapping_add(row_index)) % 100;
        if share < u64::from(self.percent[0]) {
            Part::Train
        } else if share < u64::from(self.percent[0] + self.percent[1]) {
            Part::Validation
        } else {
            Part::Test
        }
    }
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014).
const fn splitmix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn shares_are_met_and_do_not_depend_on_the_order_of_asking() {
        let split = Split::deterministic([80, 15, 5], 7).unwrap();
        let parts: Vec<_> = (0..20_000).map(|row| split.part(row)).collect();
        let share = |part| parts.iter().filter(|&&p| p == part).count() as f64 / 20_000.0;
        assert!((share(Part::Train) - 0.80).abs() < 0.01);
        assert!((share(Part::Validation) - 0.15).abs() < 0.01);
        assert!((share(Part::Test) - 0.05).abs() < 0.01);
        assert_eq!(split.part(12_345), parts[12_345]);
        assert_ne!(Split::deterministic([80, 15, 5], 8).unwrap().part(0), Part::Test);
    }

    #[test]
    fn wrong_shares_are_refused() {
        assert!(Split::deterministic([98, 1, 0], 1).is_err());
        assert!(Split::deterministic([0, 50, 50], 1).is_err());
        assert!(Split::deterministic([u32::MAX, 50, 51], 1).is_err());
    }
}
