//! Names of tenants, gateways and nodes: what is safe in a file name, a certificate
//! and a shell.

/// Whether this can be the name of a tenant, a gateway or a node.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    starts && !text.ends_with('-') && text.len() <= 63 && text.bytes().all(fits)
}

/// The same in words.
pub(crate) const NAME_RULE: &str =
    "a name has 1 to 63 characters: small letters, digits and inner hyphens";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_into_files_and_certificates() {
        for name in ["a", "shop-1", "a--b", "0", &"x".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "-",
            "-a",
            "a-",
            "A",
            "a/b",
            "a.b",
            "ä",
            "a b",
            &"x".repeat(64),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }
}
