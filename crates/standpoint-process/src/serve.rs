//! The side of a stage: reads requests from standard input and answers on standard output.

use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use standpoint_document::Document;
use standpoint_stage::{StageContext, StageDefinition, StageError, StartContext, testing};
use standpoint_wire::{Form, LentDocument, StageManifest, append_reply, checked_text};

use crate::protocol::{
    Failure, Frame, Frames, HostHello, Kind, LOWEST_VERSION, StageHello, Start, VERSION, join,
    split,
};

/// What a program says of its stage besides what [`StageDefinition`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// Usually `env!("CARGO_PKG_VERSION")`.
    pub version: &'static str,
    /// What it does, in a line.
    pub description: &'static str,
}

/// Serves the stage `S` until the host ends it: what `main` of a stage's program calls.
///
/// From here on, what the program prints goes to standard error, because standard output is the
/// host's.
///
/// # Errors
///
/// When the host breaks the protocol or its pipes.
pub fn serve<S: StageDefinition>(about: About) -> io::Result<()> {
    let output = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let input = rustix::io::dup(rustix::stdio::stdin())?;
    converse::<S>(about, File::from(input), File::from(output))
}

fn converse<S: StageDefinition>(
    about: About,
    input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    let mut seat: Option<Seat<S>> = None;
    let mut form = Form::Packed;
    let mut frames = Frames::new(input);
    // One for all answers, for its room.
    let mut answer = Frame::new(Kind::Result);
    while let Some((kind, request, payload)) = frames.read()? {
        answer.renew(Kind::Result);
        let done = match kind {
            Kind::Hello => {
                let host: HostHello = serde_json::from_slice(payload)?;
                hello::<S>(about, &host).and_then(|hello| {
                    form = hello.form();
                    answer.renew(Kind::Hello);
                    put_json(&hello, answer.payload())
                })
            }
            Kind::Start => {
                let start: Start = serde_json::from_slice(payload)?;
                Seat::start(start, form).map(|started| seat = Some(started))
            }
            Kind::Document => {
                seat_of(&mut seat).and_then(|seat| seat.process(payload, answer.payload()))
            }
            Kind::Batch => seat_of(&mut seat).and_then(|seat| {
                let replies = seat.process_batch(payload)?;
                answer.renew(Kind::BatchResult);
                put_batch(replies, answer.payload())
            }),
            Kind::Shutdown => return Ok(()),
            // One request at a time: when it is read, there is nothing left to cancel.
            Kind::Cancel => continue,
            Kind::Result | Kind::Error | Kind::BatchResult | Kind::Log => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the host sent {kind:?}, which only a stage does"),
                ));
            }
        };
        if let Err(error) = done {
            answer.renew(Kind::Error);
            serde_json::to_writer(answer.payload(), &Failure::from(&error))?;
        }
        output.write_all(answer.bytes(request))?;
        output.flush()?;
    }
    Ok(())
}

fn hello<S: StageDefinition>(about: About, host: &HostHello) -> Result<StageHello, StageError> {
    let [lowest, highest] = host.protocol;
    let protocol = highest.min(VERSION);
    if protocol < lowest.max(LOWEST_VERSION) || !host.forms.contains(&Form::Packed) {
        return Err(StageError::stage(format!(
            "it speaks protocol {LOWEST_VERSION} to {VERSION} with packed documents, and the host \
             protocol {lowest} to {highest}: rebuild it"
        )));
    }
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let manifest = StageManifest {
        name: S::NAME.to_owned(),
        version: about.version.to_owned(),
        description: about.description.to_owned(),
        model: S::MODEL.map(str::to_owned),
        reads: owned(S::CONTRACT.reads),
        writes: owned(S::CONTRACT.writes),
        settings: Some(schemars::schema_for!(S::Settings).to_value()),
    };
    Ok(StageHello { protocol, form: Form::Packed, batch: true, manifest })
}

fn seat_of<S>(seat: &mut Option<Seat<S>>) -> Result<&mut Seat<S>, StageError> {
    seat.as_mut().ok_or_else(|| StageError::stage("the host gave a document before `start`"))
}

fn put_json(value: &impl Serialize, payload: &mut Vec<u8>) -> Result<(), StageError> {
    serde_json::to_writer(payload, value)
        .map_err(|error| StageError::stage(format!("it cannot be written as JSON: {error}")))
}

fn put_batch(
    replies: Vec<Result<Vec<u8>, StageError>>,
    payload: &mut Vec<u8>,
) -> Result<(), StageError> {
    let mut told = Vec::with_capacity(replies.len());
    for reply in replies {
        told.push(match reply {
            Ok(reply) => (0, reply),
            Err(error) => {
                let mut failure = Vec::new();
                put_json(&Failure::from(&error), &mut failure)?;
                (1, failure)
            }
        });
    }
    payload.extend(join(told.iter().map(|(status, reply)| (Some(*status), &**reply))));
    Ok(())
}

/// The stage, with what another one like it is made of.
struct Seat<S> {
    start: Start,
    stage: S,
    /// That of documents and results.
    form: Form,
}

impl<S: StageDefinition> Seat<S> {
    fn start(start: Start, form: Form) -> Result<Self, StageError> {
        let stage = make(&start)?;
        Ok(Self { start, stage, form })
    }

    fn process(&mut self, payload: &[u8], reply: &mut Vec<u8>) -> Result<(), StageError> {
        let form = self.form;
        let lent = LentDocument::read(payload, form, checked_text)?;
        let mut document = lent.view();
        lent.annotate(&mut document, S::CONTRACT.reads)?;
        self.run(lent.attempt(), |stage, context| {
            testing::wait_for(stage.process(&mut document, context))?;
            append_reply(&document, S::CONTRACT.writes, form, reply)
        })?
    }

    fn process_batch(
        &mut self,
        payload: &[u8],
    ) -> Result<Vec<Result<Vec<u8>, StageError>>, StageError> {
        let form = self.form;
        let contents = split(payload, false)
            .ok_or_else(|| StageError::stage("the host's batch is cut short"))?;
        let lent: Vec<LentDocument<'_>> = contents
            .into_iter()
            .map(|(_, content)| LentDocument::read(content, form, checked_text))
            .collect::<Result<_, _>>()?;
        let attempt = lent.iter().map(LentDocument::attempt).max().unwrap_or(1);
        let documents = lent.iter().map(|lent| {
            let mut document = lent.view();
            lent.annotate(&mut document, S::CONTRACT.reads).map(|()| document)
        });
        let mut documents = documents.collect::<Result<Vec<_>, _>>()?;
        let expected = documents.len();
        self.run(attempt, |stage, context| {
            let results = testing::wait_for(stage.process_batch(&mut documents, context));
            if results.len() != expected {
                let found = results.len();
                return Err(StageError::stage(format!(
                    "process_batch returned {found} results for {expected} documents"
                )));
            }
            let reply = |(result, document): (Result<(), StageError>, &Document<'_>)| {
                result?;
                let mut reply = Vec::new();
                append_reply(document, S::CONTRACT.writes, form, &mut reply).map(|()| reply)
            };
            Ok(results.into_iter().zip(&documents).map(reply).collect())
        })?
    }

    /// Calls the stage; after a panic there is another one.
    fn run<T>(
        &mut self,
        attempt: u32,
        call: impl FnOnce(&S, &StageContext<'_>) -> T,
    ) -> Result<T, StageError> {
        let never = AtomicBool::new(false);
        let context = StageContext::new(&self.start.stage, attempt, &never);
        match catch_unwind(AssertUnwindSafe(|| call(&self.stage, &context))) {
            Ok(result) => Ok(result),
            Err(panic) => {
                let message = panic.downcast_ref::<String>().map(String::as_str);
                let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
                let message = message.unwrap_or("without a message");
                self.stage = make(&self.start)?;
                Err(StageError::stage(format!("panicked: {message}")))
            }
        }
    }
}

fn make<S: StageDefinition>(start: &Start) -> Result<S, StageError> {
    let settings = serde_json::from_value(start.settings.clone())
        .map_err(|error| StageError::stage(format!("settings of `{}`: {error}", S::NAME)))?;
    let context = StartContext {
        stage: start.stage.clone(),
        pipeline_dir: PathBuf::from(&start.pipeline_dir),
    };
    S::start(settings, &context)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::{Value, json};
    use standpoint_stage::{Contract, NoSettings, Stage, document::layers};
    use standpoint_wire::{Writes, read_reply, write_document};

    use super::*;

    struct Count;

    impl StageDefinition for Count {
        const NAME: &'static str = "count";
        const CONTRACT: Contract = Contract { reads: &[layers::TOKENS], writes: &["count"] };
        type Settings = NoSettings;

        fn start(_: NoSettings, _: &StartContext) -> Result<Self, StageError> {
            Ok(Self)
        }
    }

    #[async_trait]
    impl Stage for Count {
        async fn process(
            &self,
            document: &mut Document<'_>,
            _: &StageContext<'_>,
        ) -> Result<(), StageError> {
            let count = document.tokens().len();
            document.set_attribute("count", count.into());
            Ok(())
        }
    }

    /// What a host that speaks these versions hears: the answer to its hello, and how many words
    /// the stage counts in a document in `form`.
    fn heard(protocol: [u32; 2], form: Form) -> (Value, Option<Value>) {
        let mut document = testing::tokenised("It may rain.");
        let lent = write_document(&document, &["tokens"], 1, form).unwrap();
        let hello = json!({ "standpoint": "0", "protocol": protocol, "forms": ["packed"] });
        let start = json!({ "stage": "here", "pipeline_dir": ".", "settings": {} });
        let said = [
            (Kind::Hello, hello.to_string().into_bytes()),
            (Kind::Start, start.to_string().into_bytes()),
            (Kind::Document, lent),
        ];
        let mut input = Vec::new();
        for (request, (kind, payload)) in (1..).zip(said) {
            input.extend_from_slice(Frame::of(kind, &payload).bytes(request));
        }
        let mut output = Vec::new();
        let about = About { version: "1", description: "" };
        converse::<Count>(about, input.as_slice(), &mut output).unwrap();
        let mut frames = Frames::new(output.as_slice());
        let (_, _, hello) = frames.read().unwrap().unwrap();
        let hello = serde_json::from_slice(hello).unwrap();
        frames.read().unwrap();
        let (kind, _, reply) = frames.read().unwrap().unwrap();
        if kind != Kind::Result {
            return (hello, None);
        }
        let mut writes = Writes::default();
        read_reply(reply, form, document.text(), &["count"], &mut writes).unwrap();
        writes.commit(&mut document).unwrap();
        (hello, document.attribute("count").cloned())
    }

    #[test]
    fn the_highest_version_that_both_speak_is_spoken() {
        let cases = [
            ([1, 1], Form::Packed, Some(1)),
            ([1, 2], Form::Binary, Some(2)),
            ([2, 9], Form::Binary, Some(2)),
            ([3, 9], Form::Binary, None),
        ];
        for (versions, form, spoken) in cases {
            let (hello, counted) = heard(versions, form);
            assert_eq!(hello["protocol"].as_u64(), spoken, "{versions:?}");
            if spoken.is_some() {
                assert_eq!(counted, Some(json!(4)), "{versions:?}");
            }
        }
    }
}
