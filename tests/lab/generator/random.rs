//! Numbers that look random and are the same for the same seed, on every machine (SplitMix64).

/// A generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The series of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed for the nth thing below a seed.
    pub fn mix(seed: u64, number: u64) -> u64 {
        Self(seed ^ number.wrapping_mul(0xA24B_AED4_963E_E407)).next()
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// One of them.
    pub fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// One of them.
    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// Puts them in another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for left in (2..=all.len()).rev() {
            let other = usize::try_from(self.below(left as u64)).unwrap();
            all.swap(left - 1, other);
        }
    }

    /// A number from 0 to below 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Log-normal: half are below the median, and few are far above.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        // Twelve uniform numbers add up to a normal one, near enough.
        let normal: f64 = (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0;
        median * (sigma * normal).exp()
    }
}

/// A number that the environment gives, such as a seed; else the usual one.
pub fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("{variable}={text}"))
    })
}
