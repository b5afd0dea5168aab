//! `random.Random(seed)` as CPython 3.11 has it: MT19937 seeded by array, and the three draws the harness makes.
//!
//! Source: `Modules/_randommodule.c` and `Lib/random.py`; the generator is Matsumoto and Nishimura's (1998).

const N: usize = 624;
const M: usize = 397;

/// A Mersenne Twister in CPython's clothes.
#[derive(Clone)]
pub struct Random {
    state: Box<[u32; N]>,
    index: usize,
}

impl Random {
    /// `random.Random(seed)` for a non-negative integer seed.
    pub fn new(seed: u64) -> Self {
        let mut key = vec![seed as u32];
        if seed > u64::from(u32::MAX) {
            key.push((seed >> 32) as u32);
        }
        let mut state = Box::new([0_u32; N]);
        state[0] = 19_650_218;
        for i in 1..N {
            let last = state[i - 1];
            state[i] = 1_812_433_253_u32.wrapping_mul(last ^ (last >> 30)).wrapping_add(i as u32);
        }
        let mut this = Self { state, index: N };
        this.mix(&key);
        this
    }

    /// `init_by_array`.
    fn mix(&mut self, key: &[u32]) {
        let state = &mut self.state;
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_664_525))
                .wrapping_add(key[j])
                .wrapping_add(j as u32);
            i += 1;
            j = (j + 1) % key.len();
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        for _ in 0..N - 1 {
            let last = state[i - 1];
            state[i] = (state[i] ^ (last ^ (last >> 30)).wrapping_mul(1_566_083_941)).wrapping_sub(i as u32);
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
    }

    fn next_u32(&mut self) -> u32 {
        if self.index >= N {
            self.twist();
        }
        let mut y = self.state[self.index];
        self.index += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn twist(&mut self) {
        for k in 0..N {
            let y = (self.state[k] & 0x8000_0000) | (self.state[(k + 1) % N] & 0x7fff_ffff);
            let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
            self.state[k] = self.state[(k + M) % N] ^ (y >> 1) ^ odd;
        }
        self.index = 0;
    }

    /// `random()`: 53 bits in [0, 1).
    pub fn random(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// `_randbelow(n)` for n below 2³².
    fn below(&mut self, n: usize) -> usize {
        debug_assert!(
            n > 0 && u32::try_from(n).is_ok(),
            "few-shot pools hold at least one and fewer than 2^32 rows"
        );
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let draw = (self.next_u32() >> (32 - bits.min(32))) as usize;
            if draw < n {
                return draw;
            }
        }
    }

    /// The positions that `sample(population, k)` takes from a population of `n`; `None` when `k > n`.
    pub fn sample(&mut self, n: usize, k: usize) -> Option<Vec<usize>> {
        if k > n {
            return None;
        }
        let mut set_size = 21;
        if k > 5 {
            set_size += 4_usize.pow(((k * 3) as f64).log(4.0).ceil() as u32);
        }
        if n <= set_size {
            let mut pool: Vec<usize> = (0..n).collect();
            return Some(
                (0..k)
                    .map(|i| {
                        let j = self.below(n - i);
                        let taken = pool[j];
                        pool[j] = pool[n - i - 1];
                        taken
                    })
                    .collect(),
            );
        }
        let mut chosen: Vec<usize> = Vec::with_capacity(k);
        while chosen.len() < k {
            let j = self.below(n);
            if !chosen.contains(&j) {
                chosen.push(j);
            }
        }
        Some(chosen)
    }

    /// One position of `choices(population, k=…)` over a population of `n`.
    pub fn choice(&mut self, n: usize) -> usize {
        (self.random() * n as f64) as usize
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_cpythons() {
        // python3 -c "import random; r = random.Random(1234); print(r.random(), r.sample(range(2000), 5), r.sample(range(20), 6))"
        let mut random = Random::new(1234);
        assert_eq!(random.random().to_bits(), RANDOM_1234.to_bits());
        assert_eq!(random.sample(2000, 5).unwrap(), SAMPLE_2000);
        assert_eq!(random.sample(20, 6).unwrap(), SAMPLE_20);
        assert_eq!((0..5).map(|_| random.choice(10)).collect::<Vec<_>>(), CHOICES);
    }

    #[test]
    fn a_sample_larger_than_its_pool_is_refused() {
        assert_eq!(Random::new(0).sample(3, 4), None);
    }

    const RANDOM_1234: f64 = 0.966_453_535_692_138_8;
    const SAMPLE_2000: [usize; 5] = [902, 239, 15, 185, 1865];
    const SAMPLE_20: [usize; 6] = [18, 1, 2, 3, 11, 16];
    const CHOICES: [usize; 5] = [0, 9, 0, 6, 4];
}
