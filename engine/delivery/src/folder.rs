//! Mail for who develops: each as a file `ID.eml` in a folder. A repeat has the same
//! id and takes the place of the first; nothing is ever seen half written.

use std::io::{self, Write};
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use tidegate_runtime::ports::Sent;

/// A folder that mail is written into.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Folder {
        Folder(path)
    }

    /// Writes a mail, away from the threads that serve.
    pub(crate) async fn write(&self, id: [u8; 16], mail: Vec<u8>) -> Sent {
        let folder = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            // For its owner alone: there are codes in it.
            std::fs::create_dir_all(&folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&folder)?;
            file.write_all(&mail)?;
            file.persist(folder.join(format!("{}.eml", HEXLOWER.encode(&id))))?;
            Ok::<(), io::Error>(())
        });
        match written.await {
            Ok(Ok(())) => Sent::Delivered,
            Ok(Err(error)) => {
                let kind = error.kind();
                tracing::warn!(event = "delivery.folder_failed", %kind);
                Sent::Failed
            }
            Err(_) => Sent::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_repeat_takes_the_place_of_the_first_and_no_other_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("mail"));
        for mail in ["first", "second"] {
            let sent = folder.write([0xab; 16], mail.into()).await;
            assert_eq!(sent, Sent::Delivered);
        }
        let files = std::fs::read_dir(dir.path().join("mail")).unwrap();
        let files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        let [file] = &files[..] else {
            panic!("{files:?}")
        };
        assert!(file.ends_with("abababababababababababababababab.eml"));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "second");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_fails() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mail"), "a file").unwrap();
        let folder = Folder::new(dir.path().join("mail"));
        assert_eq!(folder.write([0; 16], Vec::new()).await, Sent::Failed);
    }
}
