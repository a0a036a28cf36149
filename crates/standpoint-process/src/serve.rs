//! The side of a stage: reads requests from standard input and answers on standard output.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use standpoint_document::Document;
use standpoint_stage::{StageContext, StageDefinition, StageError, StartContext, testing};
use standpoint_wire::{Form, StageManifest, read_document, write_reply};

use crate::protocol::{
    Failure, HostHello, Kind, StageHello, Start, VERSION, join, read_frame, split, write_frame,
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
    converse::<S>(about, BufReader::new(File::from(input)), File::from(output))
}

fn converse<S: StageDefinition>(
    about: About,
    mut input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    let mut seat: Option<Seat<S>> = None;
    while let Some((kind, request, payload)) = read_frame(&mut input)? {
        let (kind, answer) = match kind {
            Kind::Hello => {
                let host: HostHello = serde_json::from_slice(&payload)?;
                match hello::<S>(about, &host) {
                    Ok(hello) => (Kind::Hello, json(&hello)?),
                    Err(error) => failed(&error)?,
                }
            }
            Kind::Start => {
                let start: Start = serde_json::from_slice(&payload)?;
                match Seat::start(start) {
                    Ok(started) => {
                        seat = Some(started);
                        (Kind::Result, Vec::new())
                    }
                    Err(error) => failed(&error)?,
                }
            }
            Kind::Document => match seat_of(&mut seat).and_then(|seat| seat.process(&payload)) {
                Ok(reply) => (Kind::Result, reply),
                Err(error) => failed(&error)?,
            },
            Kind::Batch => match seat_of(&mut seat).and_then(|seat| seat.process_batch(&payload)) {
                Ok(replies) => {
                    let replies: Vec<(u32, Vec<u8>)> = replies
                        .into_iter()
                        .map(|reply| match reply {
                            Ok(reply) => Ok((0, reply)),
                            Err(error) => Ok((1, json(&Failure::from(&error))?)),
                        })
                        .collect::<io::Result<_>>()?;
                    let replies = replies.iter().map(|(status, reply)| (Some(*status), &**reply));
                    (Kind::BatchResult, join(replies))
                }
                Err(error) => failed(&error)?,
            },
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
        write_frame(&mut output, kind, request, &answer)?;
    }
    Ok(())
}

fn hello<S: StageDefinition>(about: About, host: &HostHello) -> Result<StageHello, StageError> {
    let [lowest, highest] = host.protocol;
    if !(lowest..=highest).contains(&VERSION) || !host.forms.contains(&Form::Packed) {
        return Err(StageError::stage(format!(
            "it speaks protocol {VERSION} with packed documents, and the host protocol \
             {lowest} to {highest}: rebuild it"
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
    Ok(StageHello { protocol: VERSION, form: Form::Packed, batch: true, manifest })
}

fn seat_of<S>(seat: &mut Option<Seat<S>>) -> Result<&mut Seat<S>, StageError> {
    seat.as_mut().ok_or_else(|| StageError::stage("the host gave a document before `start`"))
}

fn failed(error: &StageError) -> io::Result<(Kind, Vec<u8>)> {
    Ok((Kind::Error, json(&Failure::from(error))?))
}

fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(value)?)
}

/// The stage, with what another one like it is made of.
struct Seat<S> {
    start: Start,
    stage: S,
}

impl<S: StageDefinition> Seat<S> {
    fn start(start: Start) -> Result<Self, StageError> {
        let stage = make(&start)?;
        Ok(Self { start, stage })
    }

    fn process(&mut self, payload: &[u8]) -> Result<Vec<u8>, StageError> {
        let (mut document, attempt) = read_document(payload)?;
        self.run(attempt, |stage, context| {
            testing::wait_for(stage.process(&mut document, context))?;
            write_reply(&document)
        })?
    }

    fn process_batch(
        &mut self,
        payload: &[u8],
    ) -> Result<Vec<Result<Vec<u8>, StageError>>, StageError> {
        let contents = split(payload, false)
            .ok_or_else(|| StageError::stage("the host's batch is cut short"))?;
        let mut attempt = 1;
        let mut documents = Vec::with_capacity(contents.len());
        for (_, content) in contents {
            let (document, of) = read_document(content)?;
            attempt = attempt.max(of);
            documents.push(document);
        }
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
                result.and_then(|()| write_reply(document))
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
