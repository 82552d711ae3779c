//! Counters: everything that is dropped, cut, sampled or not understood is counted in one.

/// Declares a struct of `u64` counters, each with its name and its meaning.
///
/// The struct gets `each`, which calls back with every `(name, value)`, and `add`, which sums
/// another one into it, so that workers can be added up and the account record can list them.
#[macro_export]
macro_rules! counters {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $field:ident,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis struct $name { $($(#[$fmeta])* pub $field: u64,)* }

        impl $name {
            /// Calls `f` with the name and value of each counter, in declared order.
            #[allow(dead_code)]
            $vis fn each(&self, mut f: impl FnMut(&'static str, u64)) {
                $(f(stringify!($field), self.$field);)*
            }

            /// Adds each counter of `other` to this one's.
            #[allow(dead_code)]
            $vis fn add(&mut self, other: &$name) {
                $(self.$field = self.$field.saturating_add(other.$field);)*
            }

            /// The sum of all counters.
            #[allow(dead_code)]
            #[must_use]
            $vis fn sum(&self) -> u64 {
                let mut n: u64 = 0;
                $(n = n.saturating_add(self.$field);)*
                n
            }
        }
    };
}

#[cfg(test)]
mod tests {
    counters! {
        /// Two for the test.
        struct Two {
            /// First.
            one,
            /// Second.
            two,
        }
    }

    #[test]
    fn adds_and_lists_in_order() {
        let mut a = Two { one: 1, two: 2 };
        a.add(&Two { one: 10, two: u64::MAX });
        let mut seen = Vec::new();
        a.each(|n, v| seen.push((n, v)));
        assert_eq!(seen, [("one", 11), ("two", u64::MAX)]);
        assert_eq!(Two { one: 3, two: 4 }.sum(), 7);
    }
}
