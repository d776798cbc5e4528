//! A set of methods.

use core::fmt;

use super::Method;

/// Some methods.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    /// Whether this method is among them.
    #[must_use]
    pub fn contains(self, method: Method) -> bool {
        self.0 & bit(method) != 0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Every one of them, by number.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL
            .into_iter()
            .filter(move |method| self.contains(*method))
    }
}

fn bit(method: Method) -> u8 {
    1 << (method.number() - 1)
}

impl FromIterator<Method> for Methods {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Methods {
        let all = methods.into_iter();
        Methods(all.fold(0, |set, method| set | bit(method)))
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_in_once_and_nothing_else() {
        let set: Methods = [Method::Totp, Method::Password, Method::Totp]
            .into_iter()
            .collect();
        let has = Method::ALL.map(|method| set.contains(method));
        assert_eq!(has, [true, false, false, false, false, true, false]);
        assert_eq!(std::format!("{set:?}"), "{Password, Totp}");
        assert!(Methods::default().is_empty() && !set.is_empty());
    }
}
