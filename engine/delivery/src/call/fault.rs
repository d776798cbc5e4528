//! Why a system cannot be called at all.

use thiserror::Error;

use crate::file::FileFault;

/// Why a system cannot be called.
#[derive(Debug, Error)]
pub(crate) enum CallFault {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The TLS library offers no version of TLS, or takes no certificate.
    #[error("{route}: no TLS is possible with this name or authority")]
    Tls {
        /// The route.
        route: String,
    },
}
