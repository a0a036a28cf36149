//! What the tagger finds and how its weights are read.

use standpoint_linear::Feature;

use super::*;
use crate::fold::look;

#[test]
fn inside_follows_only_its_own_class() {
    assert!(may_follow(1, 2) && may_follow(2, 2) && may_follow(2, 1) && may_follow(4, 0));
    assert!(!may_follow(0, 2) && !may_follow(3, 2) && !may_follow(2, 4));
}

#[test]
fn viterbi_never_breaks_a_run_wrongly() {
    let mut scores = [[0.0; TAGS]; 2];
    scores[0][1] = 1.0;
    scores[1][4] = 5.0;
    scores[1][2] = 3.0;
    let mut tags = Vec::new();
    viterbi(&scores, &[[0.0; TAGS]; TAGS], &mut Vec::new(), &mut tags);
    assert!(may_follow(0, tags[0]) && may_follow(tags[0], tags[1]), "{tags:?}");
}

#[test]
fn small_words_between_capitals_could_be_parts_of_names() {
    let looks: Vec<_> = "We met the Bank of the West and twelve other men in May 2021"
        .split(' ')
        .map(look)
        .collect();
    assert_eq!(runs(&looks).collect::<Vec<_>>(), [0..7, 12..14]);
}

#[test]
fn what_is_kept_weighs_what_the_features_weigh() {
    let tagger = Tagger::from_bytes(crate::stage::MODEL).unwrap();
    let text = "Ola Moe of San Francisco's Bank of the West met Moe in Astana on 3 May 2021";
    let starts = text.match_indices(' ').map(|(at, _)| at as u32 + 1);
    let mut tokens: Vec<Annotation> = std::iter::once(0)
        .chain(starts)
        .map(|start| {
            let word = text[start as usize..].split(' ').next().unwrap_or_default();
            Annotation::new(standpoint_document::Span::new(start, start + word.len() as u32))
        })
        .collect();
    let mut memory = Memory::default();
    // Twice, so that the second time all words are known, and with other neighbours.
    for _ in 0..2 {
        let slice = |token: &Annotation| look(&text[token.span.range()]);
        let looks: Vec<Look> = tokens.iter().map(slice).collect();
        let hints: Vec<Hint> = (0..tokens.len()).map(|index| index as u8 % 3).collect();
        let line = Line { text, tokens: &tokens, looks: &looks, hints: &hints };
        let mut seen = 0;
        for run in runs(&looks) {
            let mut rows = Vec::new();
            describe(line, run.clone(), tagger.vocabulary, &mut rows);
            tagger.score(line, run, &mut memory);
            let sums = rows
                .iter()
                .map(|row| tagger.weights.sum(row.iter().map(|&hash| Feature::of_hash(hash))));
            for (sum, scores) in sums.zip(&memory.scores) {
                let bits =
                    |scores: &[f32]| scores.iter().map(|score| score.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(&sum), bits(&scores[1..]));
                seen += 1;
            }
        }
        assert!(seen >= 8);
        tokens.remove(3);
    }
}

#[test]
fn confidence_follows_the_line_and_ends_with_it() {
    let line = std::array::from_fn(|at| (at as f32, at as f32 / 10.0));
    let cases = [(-5.0, 0.0), (0.5, 0.05), (3.0, 0.3), (99.0, 0.7)];
    for (margin, expected) in cases {
        assert!((confidence(margin, &line) - expected).abs() < 1e-6, "{margin}");
    }
}

#[test]
fn a_model_of_another_length_is_refused() {
    assert!(Tagger::from_bytes(&[0; 10]).is_none());
}

#[test]
fn opinions_are_probabilities_of_words_that_may_be_names() {
    let tagger = Tagger::from_bytes(crate::stage::MODEL).unwrap();
    let text = "we met Moe today";
    let words = [(0, 2), (3, 6), (7, 10), (11, 16)];
    let span = |(start, end)| Annotation::new(standpoint_document::Span::new(start, end));
    let tokens = words.map(span);
    let looks = tokens.map(|token| look(&text[token.span.range()]));
    let line = Line { text, tokens: &tokens, looks: &looks, hints: &[0; 4] };
    let opinions = tagger.opinions(line, &mut Memory::default());
    assert!([0, 1, 3].into_iter().all(|small| opinions[small].is_none()), "{opinions:?}");
    let moe = opinions[2].unwrap();
    let all: f32 = moe.iter().map(|logarithm| logarithm.exp()).sum();
    // What is least likely is taken to be a little likelier than it is.
    assert!((1.0..1.01).contains(&(all + 1e-5)), "{moe:?}");
    assert!(moe.iter().all(|&logarithm| (LEAST..=0.0).contains(&logarithm)), "{moe:?}");
    assert!(moe[3] < moe[1] && moe[5] < moe[1], "Moe is a person: {moe:?}");
}
