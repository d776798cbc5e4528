//! Choices that travel as one byte.

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$one_doc:meta])* $one:ident = $number:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name {
            $($(#[$one_doc])* $one = $number,)+
        }

        impl $name {
            /// The one with this number.
            ///
            /// # Errors
            /// `Malformed` for any other number.
            pub fn from_number(number: u8) -> Result<$name, $crate::fault::Fault> {
                match number {
                    $($number => Ok($name::$one),)+
                    _ => Err($crate::fault::Fault::Malformed),
                }
            }

            /// Its number.
            #[must_use]
            pub fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

pub(crate) use numbered;

/// In the place of a number that there is none of.
pub const NO_NUMBER: u8 = 255;
