//! Reading stored bytes field by field.

use crate::corrupt::Corrupt;

/// What is not read yet.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field, of a length that is known.
    pub(crate) fn next<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (field, rest) = self.0.split_first_chunk().ok_or(Corrupt)?;
        self.0 = rest;
        Ok(*field)
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Corrupt> {
        let (field, rest) = self.0.split_at_checked(bytes).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(field)
    }

    /// The next bytes, behind their number as u16 LE.
    pub(crate) fn counted(&mut self) -> Result<&'a [u8], Corrupt> {
        let bytes = u16::from_le_bytes(self.next()?);
        self.take(bytes.into())
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), Corrupt> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(Corrupt),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_turn_and_to_the_end() {
        let mut fields = Fields(&[7, 2, 0, 8, 9, 1]);
        assert_eq!(fields.next(), Ok([7]));
        assert_eq!(fields.counted(), Ok(&[8, 9][..]));
        assert_eq!(fields.end(), Err(Corrupt));
        assert_eq!(fields.take(1), Ok(&[1][..]));
        assert_eq!(fields.end(), Ok(()));
        assert_eq!(fields.next::<1>(), Err(Corrupt));
        assert_eq!(fields.take(1), Err(Corrupt));
        assert_eq!(Fields(&[3, 0, 1, 2]).counted(), Err(Corrupt));
    }
}
