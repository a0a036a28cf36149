//! Sinks that print documents to a stream, such as standard output.

use std::io::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use standpoint_document::Document;
use standpoint_engine::{Sink, SinkError};
use tokio::task;

/// So many bytes are printed before they are written.
const PIECE_BYTES: usize = 512 << 10;

/// Knows how documents look on a stream.
pub trait Printer: Send + 'static {
    /// Appends what stands before the first document, also where none comes.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// Appends a document.
    fn print(&mut self, document: &Document<'static>, out: &mut Vec<u8>);
}

/// Prints documents to a stream.
///
/// Whoever reads the other end of a pipe may stop reading at any time. So each write happens on a
/// thread that may wait for ever, and the documents of the group wait with it; nothing else does.
/// When nobody can read any more, the sink fails for good.
#[derive(Debug)]
pub struct StreamSink<P, W> {
    /// `None` while a blocking thread has it, and after a call that was dropped half way.
    stream: Option<Stream<P, W>>,
    name: &'static str,
}

#[derive(Debug)]
struct Stream<P, W> {
    printer: P,
    writer: W,
    has_begun: bool,
}

impl<P: Printer, W: Write + Send + 'static> StreamSink<P, W> {
    /// For the stream that messages call `name`.
    #[must_use]
    pub const fn new(printer: P, writer: W, name: &'static str) -> Self {
        Self { stream: Some(Stream { printer, writer, has_begun: false }), name }
    }

    async fn put(&mut self, group: Vec<Arc<Document<'static>>>) -> Result<(), SinkError> {
        let name = self.name;
        let lost = || SinkError::fatal(format!("writing to {name} was interrupted"));
        let mut stream = self.stream.take().ok_or_else(lost)?;
        let (stream, result) = task::spawn_blocking(move || {
            let result = stream.put(&group);
            (stream, result)
        })
        .await
        .map_err(|_| lost())?;
        self.stream = Some(stream);
        // Half a line may be out, and a stream cannot take it back.
        result.map_err(|error| SinkError::fatal(format!("cannot write to {name}")).caused_by(error))
    }
}

impl<P: Printer, W: Write> Stream<P, W> {
    fn put(&mut self, documents: &[Arc<Document<'static>>]) -> io::Result<()> {
        let mut out = Vec::new();
        if !self.has_begun {
            self.printer.begin(&mut out);
            self.has_begun = true;
        }
        for document in documents {
            self.printer.print(document, &mut out);
            // A group may be hundreds of documents, and what is printed many times their size.
            if out.len() >= PIECE_BYTES {
                self.writer.write_all(&out)?;
                out.clear();
            }
        }
        self.writer.write_all(&out)?;
        self.writer.flush()
    }
}

#[async_trait]
impl<P: Printer, W: Write + Send + 'static> Sink for StreamSink<P, W> {
    async fn write(
        &mut self,
        documents: &[Arc<Document<'static>>],
    ) -> Result<Vec<Result<(), String>>, SinkError> {
        self.put(documents.to_vec()).await?;
        Ok(vec![Ok(()); documents.len()])
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.put(Vec::new()).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    /// Prints ids, and a line before them.
    struct Ids;

    impl Printer for Ids {
        fn begin(&mut self, out: &mut Vec<u8>) {
            out.extend(b"ids:");
        }

        fn print(&mut self, document: &Document<'static>, out: &mut Vec<u8>) {
            out.extend(format!(" {}", document.id()).bytes());
        }
    }

    /// A stream that can be looked at.
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn group(ids: &[&str]) -> Vec<Arc<Document<'static>>> {
        ids.iter().map(|id| Arc::new(Document::new((*id).to_owned(), "x").unwrap())).collect()
    }

    #[tokio::test]
    async fn the_beginning_is_printed_once_and_also_without_documents() {
        for (groups, expected) in
            [(vec![], "ids:"), (vec![vec!["a"], vec![], vec!["b", "c"]], "ids: a b c")]
        {
            let shared = Shared::default();
            let mut sink = StreamSink::new(Ids, shared.clone(), "a stream");
            for ids in groups {
                sink.write(&group(&ids)).await.unwrap();
            }
            sink.close().await.unwrap();
            assert_eq!(String::from_utf8_lossy(&shared.0.lock().unwrap()), expected);
        }
    }

    #[tokio::test]
    async fn a_full_pipe_holds_up_nobody_else_and_a_closed_one_is_the_end() {
        let (reader, writer) = io::pipe().unwrap();
        let mut sink = StreamSink::new(Ids, writer, "a pipe");
        let many: Vec<_> = (0..100_000).map(|_| "document").collect();
        let many = group(&many);
        {
            let write = sink.write(&many);
            tokio::pin!(write);
            // On the one thread of this runtime: a write that blocked would never let it end.
            assert!(tokio::time::timeout(Duration::from_millis(50), &mut write).await.is_err());
            drop(reader);
            let error = write.await.unwrap_err();
            assert!(matches!(error, SinkError::Fatal { .. }), "{error}");
        }
        assert!(sink.write(&group(&["a"])).await.is_err());
    }
}
