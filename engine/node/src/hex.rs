//! Bytes as text in rows and files of keys: two hexadecimal digits each.

use tidegate_runtime::WrappedKey;

/// Bytes as digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A wrapped key from its digits; `None` when they are none.
pub(crate) fn unhex(text: &str) -> Option<WrappedKey> {
    let digits = text.as_bytes().chunks_exact(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes = bytes.collect::<Option<Vec<u8>>>()?;
    bytes.try_into().ok().map(WrappedKey)
}
