//! Stances in whole documents: who stands where toward the target, and what shows it.
//!
//! Three formats: documents with all their actors, behaviour probes that ask about one holder,
//! and expectations about the documents of a folder.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use standpoint_document::{ActorStance, Document, Span, Stance, StanceLabel, TargetStance, slug};

use self::records::{Holder, Labelled, Who, expectation, probe, whole_document};
use super::input::{DataFile, Place};
use super::metrics::Tally;
use super::outcome::{Answer, Outcome, Question, Share, Unit};
use super::{Annotate, annotated};

mod records;

/// The classes, in the order of [`class_of`].
const CLASSES: [&str; 3] = ["opposed", "neutral", "supportive"];
const NEUTRAL: usize = 1;

const fn class_of(label: StanceLabel) -> usize {
    match label {
        StanceLabel::Opposed => 0,
        StanceLabel::Neutral => NEUTRAL,
        StanceLabel::Supportive => 2,
    }
}

fn class_of_name(place: Place<'_>, label: &str) -> anyhow::Result<usize> {
    CLASSES.iter().position(|&class| class == label).with_context(|| {
        format!("{place}: {label:?} is not a label: expected opposed, neutral or supportive")
    })
}

/// Whether a record labels stances in a whole document.
pub(super) fn is_document_record(value: &Value) -> bool {
    value.get("capability").is_some() || value.get("actors").is_some()
}

/// Reads the document at a path, in the folder that expectations are about, as the program would.
pub(super) type ReadDocuments<'a> = dyn Fn(&str) -> anyhow::Result<Vec<Document<'static>>> + 'a;

/// Measures stances in documents, probes or the documents of a folder.
///
/// # Errors
///
/// When the data is none of these, or the pipeline fails or has no stage that writes stances.
pub(super) fn stances(
    files: &[&DataFile],
    open: &ReadDocuments<'_>,
    annotate: &mut Annotate<'_>,
) -> anyhow::Result<Outcome> {
    let mut by_target: BTreeMap<String, Vec<Labelled>> = BTreeMap::new();
    for file in files {
        for (place, value) in file.values()? {
            let labelled = if value.get("capability").is_some() {
                probe(file, place, &value)?
            } else if value.get("file").is_some() {
                expectation(file, place, &value, open)?
            } else if value.get("actors").is_some() {
                whole_document(file, place, &value)?
            } else {
                bail!("{place}: expected `actors` or `capability`, as in the first record");
            };
            by_target.entry(labelled.target.clone()).or_default().push(labelled);
        }
    }
    let mut measure = Measure::new();
    for (target, mut labelled) in by_target {
        let documents = labelled.iter_mut().map(|one| std::mem::take(&mut one.document)).collect();
        let documents = annotated(documents, Some(std::slice::from_ref(&target)), annotate)?;
        measure.outcome.count_documents(&documents);
        for (labelled, document) in labelled.iter().zip(&documents) {
            measure.judge(labelled, document)?;
        }
    }
    measure.finish()
}

/// Counts answers over all targets.
struct Measure {
    outcome: Outcome,
    /// The same counts without the actors that only the pipeline lists.
    listed: Vec<Unit>,
    evidence: EvidenceCounts,
    with_stance: usize,
}

#[derive(Default)]
struct EvidenceCounts {
    /// Pieces of evidence, of all actors and of those that the labels list; how many meet a
    /// labelled passage of their actor.
    pieces: u64,
    pieces_of_listed: u64,
    meet: u64,
    /// Labelled passages, and how many a piece of evidence meets.
    passages: u64,
    met: u64,
}

/// A row of the answer.
struct Given<'d> {
    id: &'d str,
    stance: &'d Stance,
}

impl Measure {
    fn new() -> Self {
        let (outcome, evidence) = (Outcome::new(&CLASSES), EvidenceCounts::default());
        Self { outcome, listed: Vec::new(), evidence, with_stance: 0 }
    }

    fn judge(&mut self, labelled: &Labelled, document: &Document<'_>) -> anyhow::Result<()> {
        let answer = toward(document, &labelled.target)?;
        self.with_stance += usize::from(answer.is_some());
        let mut matched: HashSet<&str> = HashSet::new();
        let mut listed = Tally::new(CLASSES.len());
        for holder in &labelled.holders {
            let given = answer.and_then(|answer| find(document, answer, &holder.who));
            matched.extend(given.as_ref().map(|given| given.id));
            let found = given.as_ref().map_or(NEUTRAL, |given| class_of(given.stance.label()));
            listed.judge(holder.expected, found);
            self.evidence.count(holder, given.as_ref());
            let stance = given.map(|given| given.stance);
            let passages = (holder.evidence.first(), document);
            self.one(labelled, holder.who.shown(), holder.expected, stance, passages);
        }
        self.listed.push(Unit { group: labelled.group.clone(), tally: listed });
        if !labelled.complete {
            return Ok(());
        }
        for actor in answer.map_or(&[][..], |answer| &answer.actors) {
            if !matched.contains(actor.id.as_str()) && !is_voice_of_listed_state(document, actor) {
                if actor.stance.label() != StanceLabel::Neutral {
                    self.evidence.pieces += actor.stance.evidence.len() as u64;
                }
                let who = Some(actor.id.clone());
                self.one(labelled, who, NEUTRAL, Some(&actor.stance), (None, document));
            }
        }
        Ok(())
    }

    /// Counts one actor; `passages` gives what to show when it is wrong.
    fn one(
        &mut self,
        labelled: &Labelled,
        holder: Option<String>,
        expected: usize,
        stance: Option<&Stance>,
        passages: (Option<&Span>, &Document<'_>),
    ) {
        let (passage, document) = passages;
        let shown = stance
            .filter(|stance| stance.label() != StanceLabel::Neutral)
            .and_then(|stance| stance.evidence.first())
            .map(|evidence| evidence.span)
            .or(passage.copied());
        let answer = Answer {
            id: document.id(),
            group: &labelled.group,
            question: Question::Toward { holder, target: labelled.target.clone() },
            expected,
            found: stance.map_or(NEUTRAL, |stance| class_of(stance.label())),
            confidence: stance.map(|stance| stance.confidence.get()),
        };
        self.outcome.judge(&labelled.unit, answer, || {
            // A short text is its own passage; of a long one its beginning tells nothing.
            let whole = if document.text().len() < 1000 { document.text() } else { "" };
            shown.map_or(whole, |span| document.slice(span)).to_owned()
        });
    }

    fn finish(mut self) -> anyhow::Result<Outcome> {
        ensure!(
            self.with_stance > 0,
            "no document came back with stances: does the pipeline have the stage `stance`?"
        );
        let EvidenceCounts { pieces, pieces_of_listed, meet, passages, met } = self.evidence;
        if passages > 0 {
            let share = |name, part, whole| Share { name, part, whole };
            self.outcome.shares.extend([
                share("evidence that meets a labelled passage of its actor", meet, pieces),
                share("the same, of actors that the labels list", meet, pieces_of_listed),
                share("labelled passages that a piece of evidence meets", met, passages),
            ]);
            self.outcome.subsets.push(("actors that the labels list", self.listed));
        }
        Ok(self.outcome)
    }
}

impl EvidenceCounts {
    /// Counts what an actor's stance shows. A passage of somebody neutral need not be met: whom a
    /// document shows on no side may be left out.
    fn count(&mut self, holder: &Holder, given: Option<&Given<'_>>) {
        let shown: Vec<Span> = given
            .map(|given| given.stance.evidence.iter().map(|piece| piece.span).collect())
            .unwrap_or_default();
        let meets = |one: &Span, others: &[Span]| others.iter().any(|other| other.overlaps(*one));
        self.pieces += shown.len() as u64;
        self.pieces_of_listed += shown.len() as u64;
        self.meet += shown.iter().filter(|piece| meets(piece, &holder.evidence)).count() as u64;
        if holder.expected != NEUTRAL {
            self.passages += holder.evidence.len() as u64;
            self.met +=
                holder.evidence.iter().filter(|passage| meets(passage, &shown)).count() as u64;
        }
    }
}

/// The stances toward `target`; `None` when the pipeline wrote none.
fn toward<'d>(
    document: &'d Document<'_>,
    target: &str,
) -> anyhow::Result<Option<&'d TargetStance>> {
    let is_asked =
        |stance: &&TargetStance| stance.target.id == target || stance.target.name == target;
    match document.stance() {
        // One target was asked for, so one answer is the answer, whatever the target is called.
        [] => Ok(None),
        [only] => Ok(Some(only)),
        several => several.iter().find(is_asked).map(Some).with_context(|| {
            format!("{}: no stance toward {target} among {}", document.id(), several.len())
        }),
    }
}

/// The row of `who`. A document's author is found both as the author and, where the author is an
/// actor with an id, as that actor; the author's own voice comes first where it takes a side.
fn find<'d>(document: &'d Document<'_>, answer: &'d TargetStance, who: &Who) -> Option<Given<'d>> {
    let author = answer.author.as_ref();
    let metadata_author = document.metadata().author.as_deref();
    match who {
        Who::Author => {
            let actor =
                answer.actors.iter().find(|actor| Some(actor.id.as_str()) == metadata_author);
            let id = metadata_author.unwrap_or("author");
            author.or(actor.map(|actor| &actor.stance)).map(|stance| Given { id, stance })
        }
        Who::Actor { id, name } => {
            let actor = answer
                .actors
                .iter()
                .find(|actor| is_same(document, actor, id.as_deref(), name.as_deref()));
            let is_author = id.is_some() && id.as_deref() == metadata_author;
            let takes_side = |stance: &&Stance| stance.label() != StanceLabel::Neutral;
            let own = author.filter(|_| is_author);
            let actor = actor.map(|actor| Given { id: &actor.id, stance: &actor.stance });
            match (own.filter(takes_side), actor) {
                (Some(stance), Some(actor)) => Some(Given { id: actor.id, stance }),
                (None, Some(actor)) => Some(actor),
                _ => own.map(|stance| Given { id: metadata_author.unwrap_or("author"), stance }),
            }
        }
    }
}

/// Whether a row is about the actor that the labels call `id` or `name`. A name is compared with
/// the row's name, its id and the other names that the entity goes by.
fn is_same(
    document: &Document<'_>,
    actor: &ActorStance,
    id: Option<&str>,
    name: Option<&str>,
) -> bool {
    if id == Some(actor.id.as_str()) {
        return true;
    }
    // An id that is not made of a name says all.
    if id.is_some_and(|id| !id.starts_with("name:")) {
        return false;
    }
    let Some(name) = name.map(bare) else { return false };
    let entity = document.entities().iter().find(|entity| entity.id == actor.id);
    let aliases = entity.into_iter().flat_map(|entity| entity.aliases.iter());
    let bare_id = actor.id.strip_prefix("name:").unwrap_or(&actor.id);
    [actor.name.as_str(), bare_id].into_iter().chain(aliases).any(|known| bare(known) == name)
}

/// Whether somebody only gives voice to a state: who speaks for a state is listed beside it, and
/// labels that list states do not mean a second actor.
fn is_voice_of_listed_state(document: &Document<'_>, actor: &ActorStance) -> bool {
    document.entities().iter().any(|entity| {
        entity.id == actor.id
            && entity.speaks_for_country
            && entity.country.as_deref().is_some_and(|country| country != actor.id)
    })
}

/// A name without case, accents, marks and article: letters and digits with hyphens between words.
fn bare(name: &str) -> String {
    let slug = slug(name);
    if slug == "the" {
        String::new()
    } else {
        slug.strip_prefix("the-").unwrap_or(&slug).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use standpoint_document::{
        Confidence, Entity, EntityKind, Evidence, Metadata, Polarity, StanceTarget, Time, Voice,
    };

    use super::*;
    use crate::evaluate::fixture::{file, identity};

    fn stance(score: f32, evidence: &[(u32, u32)]) -> Stance {
        let piece = |&(start, end): &(u32, u32)| Evidence {
            span: Span::new(start, end),
            score: Polarity::saturating(score),
            confidence: Confidence::saturating(0.9),
            voice: Voice::Author,
            time: Time::Present,
            holder: None,
            target: None,
            cue: None,
            rule: None,
        };
        Stance {
            score: Polarity::saturating(score),
            confidence: Confidence::saturating(0.9),
            evidence: evidence.iter().map(piece).collect(),
            counter_evidence: Vec::new(),
        }
    }

    fn actor(id: &str, name: &str, stance: Stance) -> ActorStance {
        ActorStance {
            id: id.into(),
            name: name.into(),
            kind: EntityKind::Organisation,
            country: None,
            mentions: 1,
            stance,
        }
    }

    fn answer(document: &mut Document<'_>, author: Option<Stance>, actors: Vec<ActorStance>) {
        let target = StanceTarget { id: "RUS".into(), name: "Russia".into() };
        document.set_stance(vec![TargetStance { target, author, actors }]).unwrap();
    }

    fn unread(_: &str) -> anyhow::Result<Vec<Document<'static>>> {
        bail!("no folder")
    }

    #[test]
    fn actors_on_either_side_are_compared_and_evidence_must_meet() {
        let line = r#"{"id":"d","title":"","author":"NOR","published":"","language":"en",
            "text":"Ödön thanked them. The bloc barred them.","target":"RUS","actors":[
            {"id":"NOR","name":"Norway","label":"opposed","evidence":[{"start":0,"end":4}]},
            {"id":null,"name":"the Baltic Club","label":"opposed","evidence":[{"start":19,"end":40}]},
            {"id":"FIN","name":"Finland","label":"neutral","evidence":[{"start":19,"end":40}]}]}"#
            .replace('\n', "");
        let mut asked = Vec::new();
        let mut stage = |mut documents: Vec<Document<'static>>, targets: Option<&[String]>| {
            asked.extend(targets.unwrap().iter().cloned());
            let document = &mut documents[0];
            let entity = |id: &str, speaks: bool, aliases: &[&str]| Entity {
                id: id.into(),
                name: id.into(),
                kind: EntityKind::Person,
                country: Some("NOR".into()),
                speaks_for_country: speaks,
                aliases: aliases.iter().collect(),
            };
            let table = vec![entity("NOR.MOE", true, &[]), entity("BC", false, &["Baltic club"])];
            document.set_entities(Vec::new(), table)?;
            let actors = vec![
                actor("BC", "B. C.", stance(-0.5, &[(21, 24), (0, 3)])),
                actor("NOR.MOE", "Moe", stance(-0.5, &[])),
                actor("SWE", "Sweden", stance(0.5, &[(0, 3)])),
                actor("FIN", "Finland", stance(0.0, &[(21, 24)])),
            ];
            answer(document, Some(stance(0.5, &[(0, 5)])), actors);
            Ok(documents)
        };
        let data = file("own.jsonl", &line);
        let outcome = stances(&[&data], &unread, &mut stage).unwrap();
        assert_eq!(asked, ["RUS"]);
        let total = outcome.total();
        // Norway (by the author's voice) wrong, the club right, Finland right, Sweden extra.
        assert_eq!((total.right, total.questions), (2, 4));
        assert_eq!(outcome.subsets[0].1[0].tally.questions, 3);
        let shares: Vec<_> = outcome.shares.iter().map(|share| (share.part, share.whole)).collect();
        assert_eq!(shares, [(3, 5), (3, 4), (2, 2)]);
        let wrong: Vec<_> = outcome.wrong.iter().map(|wrong| wrong.text.as_str()).collect();
        assert_eq!(wrong, ["Ödö", "Öd"]);
    }

    #[test]
    fn probes_ask_about_one_holder_and_target() {
        let probe = |id: &str, holder: &str, target: &str, label: &str| {
            format!(
                r#"{{"capability":"refusal","id":"refusal-{id}","text":"No.","author":null,"target":"{target}","holder":"{holder}","label":"{label}"}}"#
            )
        };
        let lines = [
            probe("01a", "SWE", "Russia", "opposed"),
            probe("01b", "name:ana-lund", "Russia", "supportive"),
            probe("02a", "author", "Russia", "neutral"),
            probe("02b", "SWE", "China", "opposed"),
        ];
        let mut stage = |mut documents: Vec<Document<'static>>, targets: Option<&[String]>| {
            if targets == Some(&["Russia".to_owned()]) {
                for document in &mut documents {
                    let actors = vec![
                        actor("SWE", "Sweden", stance(-1.0, &[])),
                        actor("RUS.LUND", "Ana Lund", stance(0.25, &[])),
                    ];
                    answer(document, None, actors);
                }
            }
            Ok(documents)
        };
        let data = file("own.jsonl", &lines.join("\n"));
        let outcome = stances(&[&data], &unread, &mut stage).unwrap();
        let total = outcome.total();
        assert_eq!((total.right, total.questions), (3, 4));
        assert_eq!(outcome.units.len(), 2);
        assert!(outcome.units.iter().all(|unit| unit.group == "refusal"));
        assert_eq!(outcome.wrong[0].id, "refusal-02b");
    }

    #[test]
    fn expectations_judge_what_they_name_and_the_author() {
        let line = r#"{"file":"a.txt","item":"two","target":"Russia","actors":[{"id":"SWE","label":"neutral"}],"author":null,"author_degree":null}"#;
        let open = |path: &str| {
            assert_eq!(path, "a.txt");
            let read = |id: &str| {
                let mut metadata = Metadata::default();
                metadata.source.id = Some(id.to_owned());
                Ok(Document::new(id.to_owned(), "No.")?.with_metadata(metadata))
            };
            ["one", "two"].into_iter().map(read).collect()
        };
        let mut stage = |mut documents: Vec<Document<'static>>, _: Option<&[String]>| {
            assert_eq!(documents[0].id(), "two");
            let actors = vec![actor("FIN", "Finland", stance(-1.0, &[]))];
            answer(&mut documents[0], Some(stance(-0.5, &[])), actors);
            Ok(documents)
        };
        let data = file("own.jsonl", line);
        let total = stances(&[&data], &open, &mut stage).unwrap().total();
        assert_eq!((total.right, total.questions), (1, 2));
    }

    #[test]
    fn a_pipeline_without_stances_is_told_from_one_that_finds_none() {
        let line = r#"{"capability":"listed","id":"listed-01a","text":"No.","author":null,"target":"Russia","holder":"SWE","label":"neutral"}"#;
        let data = file("own.jsonl", line);
        let error = stances(&[&data], &unread, &mut identity).unwrap_err();
        insta::assert_snapshot!(error, @"no document came back with stances: does the pipeline have the stage `stance`?");
        let data = file("own.jsonl", &line.replace("\"neutral\"", "\"cool\""));
        let error = stances(&[&data], &unread, &mut identity).unwrap_err();
        insta::assert_snapshot!(error, @r#"own.jsonl:1: "cool" is not a label: expected opposed, neutral or supportive"#);
    }

    #[test]
    fn a_bare_name_has_no_case_accents_marks_or_article() {
        let cases = [
            ("the European Union", "european-union"),
            ("G7", "g7"),
            ("ana-lund", "ana-lund"),
            ("  The ", ""),
            ("Ódón & Sons", "odon-sons"),
        ];
        for (name, expected) in cases {
            assert_eq!(bare(name), expected, "{name:?}");
        }
    }
}
