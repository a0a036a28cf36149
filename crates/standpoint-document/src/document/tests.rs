//! What a document keeps to, whoever writes to it.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::entity::{Aliases, EntityKind};
use crate::layer::NO_LINK;

fn document() -> Document<'static> {
    Document::new("d", "Astana refused.").unwrap()
}

#[test]
fn a_refused_layer_leaves_the_document_as_it_was() {
    let mut document = document();
    document.set_layer(layers::TOKENS, vec![Annotation::new(Span::new(0, 6))]).unwrap();
    let outside = vec![Annotation::new(Span::new(0, 99))];
    assert!(document.set_layer(layers::TOKENS, outside).is_err());
    assert_eq!(document.tokens(), [Annotation::new(Span::new(0, 6))]);
}

#[test]
fn lent_metadata_is_copied_once_and_when_asked_for() {
    #[derive(Debug, Default)]
    struct Once(AtomicUsize);
    impl Lender for Once {
        fn to_metadata(&self) -> Metadata {
            let asked = self.0.fetch_add(1, Ordering::Relaxed) + 1;
            Metadata { title: Some(format!("asked {asked}")), ..Metadata::default() }
        }

        fn to_entities(&self) -> Vec<Entity> {
            let entity = Entity {
                id: "KAZ".into(),
                name: "Kazakhstan".into(),
                kind: EntityKind::Country,
                country: None,
                speaks_for_country: true,
                aliases: Aliases::new(),
            };
            vec![entity]
        }
    }
    let (first, second) = (Once::default(), Once::default());
    let mut document = Document::lent("d", "Astana refused.", &first);
    document.set_attribute("hedges", Value::from(2));
    assert_eq!(first.0.load(Ordering::Relaxed), 0);
    assert_eq!(document.language(), None);
    document.set_language("en");
    let known = document.metadata();
    let known = (known.title.as_deref(), known.language.as_deref());
    assert_eq!(known, (Some("asked 1"), Some("en")));

    let document = Document::lent("d", "Astana refused.", &second).into_owned();
    assert_eq!(document.metadata().title.as_deref(), Some("asked 1"));
    assert_eq!(document.entities()[0].id, "KAZ");
    assert_eq!((first.0.into_inner(), second.0.into_inner()), (1, 1));
}

#[test]
fn a_mention_links_into_the_table() {
    let mut document = document();
    let mention = Annotation::new(Span::new(0, 6));
    assert_eq!(mention.link, NO_LINK);
    let error = document.set_entities(vec![mention], Vec::new()).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"layer `entities` span #0: its link leaves the table, which has 0 entries"
    );
    let kazakhstan = Entity {
        id: "KAZ".into(),
        name: "Kazakhstan".into(),
        kind: EntityKind::Country,
        country: Some("KAZ".into()),
        speaks_for_country: true,
        aliases: Aliases::new(),
    };
    document.set_entities(vec![mention.with_link(0)], vec![kazakhstan]).unwrap();
    assert_eq!(document.entity_of(&document.mentions()[0]).unwrap().id, "KAZ");
}

#[test]
fn a_cleared_document_is_like_a_new_one() {
    let mut document = document().with_metadata(Metadata::default());
    document.set_layer(layers::TOKENS, vec![Annotation::new(Span::new(0, 6))]).unwrap();
    document.lend_entities_of_json(Vec::new(), "[]".into());
    document.lend_sentiment(Some(SentimentRecord::default()));
    document.set_attribute("hedges", Value::from(2));
    document.set_language("en");
    document.add_note("left out");
    document.set_pipeline("p".into());
    document.clear();
    assert_eq!(format!("{document:?}"), format!("{:?}", Document::default()));
}

#[test]
fn only_what_is_set_counts_as_written() {
    let mut document = document();
    document.lend_layer(layers::TOKENS, Layer::default());
    document.set_attribute("hedges", Value::from(2));
    document.set_attribute("hedges", Value::from(3));
    assert_eq!(document.written().collect::<Vec<_>>(), ["hedges"]);
}

#[test]
fn a_sentiment_needs_one_entry_for_each_sentence() {
    let mut document = document();
    document.set_layer(layers::SENTENCES, vec![Annotation::new(Span::new(0, 15))]).unwrap();
    let error = document.set_sentiment(SentimentRecord::default()).unwrap_err();
    insta::assert_snapshot!(
        error,
        @"layer `sentiment` span #0: it has 0 entries where the document needs 1"
    );
}
