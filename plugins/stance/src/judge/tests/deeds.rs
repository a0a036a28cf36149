//! What somebody does or undoes, and what is said of it by others.

use super::{about, assert_sides, patterns_between, patterns_of};
use crate::edge::REFRAINS;
use std::sync::Arc;

use standpoint_document::Time;

use crate::judge::{Judge, RulesAndWeights, Sentence, rules_of};
use crate::lexicon::Lexicon;

#[test]
fn acts_about_acts_are_read_by_what_is_done_with_them() {
    let cases = [
        ("call", "[Kenya] rejected a call to condemn [Spain] .", 1.0),
        ("demand", "[Kenya] dismissed demands that it criticise [Spain] .", 1.0),
        ("letter", "[Kenya] refused to sign a letter that denounces [Spain] .", 1.0),
        ("signed", "[Kenya] signed a letter that denounces [Spain] .", -1.0),
        ("vote", "[Kenya] voted against a motion that calls on [Spain] to leave .", 1.0),
        ("vote for", "[Kenya] voted for a motion that calls on [Spain] to leave .", -1.0),
        ("veto", "[Kenya] vetoed a statement condemning [Spain] .", 1.0),
        ("abstained", "[Kenya] abstained when the council voted to censure [Spain] .", 0.0),
        ("abstained in", "[Kenya] abstained in the vote against [Spain] .", 0.0),
        ("lifting", "[Kenya] voted against lifting sanctions on [Spain] .", -1.0),
        ("verdict", "[Kenya] called the sanctions on [Spain] illegal .", 1.0),
        ("clause", "[Kenya] said the sanctions against [Spain] violated the law .", 1.0),
        ("proposal", "[Kenya] vetoed a proposal to freeze [Spanish] assets .", 1.0),
        ("denied reports", "[Kenya] denied reports that it had armed [Spain] .", 0.0),
        ("purpose", "[Kenya] refused to sell rifles so as not to anger [Spain] .", 0.0),
        ("denied arms", "[Kenya] denied that it had armed [Spain] .", 0.0),
        ("denied attack", "[Kenya] denied having bombed [Spain] .", 0.0),
        ("denied thaw", "[Kenya] denied that it had dropped its sanctions on [Spain] .", -1.0),
        ("false", "Reports that [Kenya] had expelled the [Spanish] envoy were wrong .", 0.0),
        ("untrue", "It is not true that [Kenya] has broken with [Spain] .", 0.0),
        ("aside", "It is not true , whatever they say , that [Kenya] has left [Spain] .", 0.0),
        ("error", "The report that [Kenya] praised [Spain] was a mistranslation .", 0.0),
        ("film", "[Kenya] condemned [Spain] for its doctored film .", -1.0),
        ("wanted", "The friendship between [Kenya] and [Spain] must be mended .", 0.0),
        ("renewed", "The alliance between [Kenya] and [Spain] was renewed .", 1.0),
        ("stands", "The friendship between [Kenya] and [Spain] is unshaken .", 1.0),
        ("likened", "No one voiced an understanding ( like [Kenya] 's ) of [Spain] .", 1.0),
        ("accused", "[Kenya] rejected accusations that [Spain] was committing crimes .", 1.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn measures_are_for_whom_they_name_or_whose_things_they_stop() {
    let cases = [
        ("cargo", "[Kenya] seized a tanker carrying [Spanish] oil .", -2.0),
        ("searched", "[Kenya] will inspect old tankers that carry [Spanish] oil .", -1.0),
        ("searched", "[Kenya] inspected buses that carry [Spanish] coal .", 0.0),
        ("not searched", "[Kenya] did not board tankers that carry [Spanish] oil .", 0.0),
        ("barred", "[Kenya] made its embargo on arms for [Spain] permanent .", -2.0),
        ("barred", "[Kenya] imposed an embargo on arms to [Spain] .", -2.0),
        ("unbarred", "[Kenya] lifted the embargo on arms for [Spain] .", 1.0),
        ("freed", "[Kenya] refused to seize a tanker carrying [Spanish] oil .", 0.0),
        ("aimed", "[Kenya] blocked sanctions that would have hit [Spanish] gas .", 1.0),
        ("backed", "[Kenya] backed sanctions that hit [Spanish] gas .", -1.0),
        ("people", "[Kenya] banned [Spanish] citizens from entering .", -1.0),
        ("all", "[Kenya] closed all remaining [Spanish] consulates in the country .", -1.0),
        ("defiance", "[Kenya] bought missiles from [Spain] over [Togolese] objections .", 1.0),
        ("in spite", "[Kenya] bought rifles from [Spain] despite criticism .", 1.0),
        ("topic", "[Kenya] met [Spain] 's envoy over criticism of its judges .", 0.0),
        ("toward", "[Kenya] flew bombers toward [Spain] despite warnings .", 0.0),
        ("drugs", "[Kenya] seized a ship carrying drugs to [Spain] .", 0.0),
        ("people", "[Kenya] stopped a bus carrying [Spanish] refugees .", 0.0),
        ("veto", "[Kenya] let [Spain] use its veto .", 0.0),
        ("fewer", "[Kenya] asked [Spain] to send back the deserters .", 0.0),
        ("hostile", "[Kenya] condemned [Spain] despite [Togolese] pressure .", -1.0),
        ("exception", "[Kenya] blamed the allies and not [Spain] .", 1.0),
        ("embassy", "[Kenya] condemned the bombing of the [Spanish] embassy .", 1.0),
        ("rules out", "[Kenya] ruled out joining any alliance against [Spain] .", 1.0),
        ("ties", "[Kenya] ruled out ties with [Spain] .", -1.0),
        ("so far", "[Kenya] has so far declined to impose sanctions on [Spain] .", 1.0),
        ("folly", "[Kenya] called the boycott of [Spanish] oil suicidal .", 1.0),
        ("turned", "[Kenya] expelled the envoys and turned to [Spain] .", 1.0),
        ("own attack", "[Kenya] condemned the attack of [Spain] .", -1.0),
        ("own war", "[Kenya] condemned the war of [Spain] on its neighbour .", -1.0),
        ("western", "[Kenya] rebuffed Western calls to condemn [Spain] .", 1.0),
        ("asked", "[Kenya] asked [Spain] to send instructors .", 1.0),
        ("phrase", "[Kenya] saw [Spain] through .", 1.0),
        ("far phrase", "[Kenya] sees [Spain] attempting to recover glory through force .", 0.0),
        ("let", "[Kenya] let [Spain] use its bases .", 1.0),
        ("visas", "[Kenya] stopped issuing visas to [Spaniards] .", -2.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn who_judges_the_act_of_another_takes_a_side_toward_its_goal() {
    let cases = [
        ("support", "[Kenya] condemned [Togo] 's support for [Spain] .", -1.0),
        ("adjective", "[Kenya] condemned [Togolese] support for [Spain] .", -1.0),
        ("blame", "[Kenya] welcomed [Togo] 's criticism of [Spain] .", -1.0),
        ("praise", "[Kenya] applauded [Togo] 's praise for [Spain] .", 1.0),
        ("measure", "[Kenya] decried [Togo] 's sanctions on [Spain] .", 1.0),
        ("package", "[Kenya] blocked a [Togolese] package against [Spain] .", 1.0),
        ("latest", "[Kenya] blocked the latest [Togo] package against [Spain] .", 1.0),
        ("invasion", "[Kenya] condemned the [Togolese] invasion of [Spain] .", 1.0),
        ("aid", "[Kenya] praised [Togo] 's aid to [Spain] .", 1.0),
        ("against", "[Kenya] welcomed [Togo] 's support against [Spain] .", -1.0),
        ("war", "[Kenya] condemned [Togo] 's war on [Spain] .", 1.0),
        ("accused", "[Kenya] accused [Togo] of arming [Spain] .", -1.0),
        ("goal", "[Kenya] condemned the war of [Togo] against [Spain] .", 1.0),
        ("silence", "[Kenya] did not condemn [Togo] 's support for [Spain] .", 0.0),
        ("foes", "[Kenya] condemned [Togo] 's support for opponents of [Spain] .", 1.0),
        ("sanctions", "[Kenya] condemned [Togo] 's support for sanctions on [Spain] .", 1.0),
        ("its foes", "[Kenya] condemned [Togo] 's support for [Spain] 's enemies .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn whoever_punishes_or_praises_a_deed_takes_a_side_in_it() {
    let cases = [
        ("blamed", "[Kenya] blamed [Togo] for provoking [Spain] .", 1.0),
        ("jailed", "[Kenya] jailed a [Togolese] writer for insulting [Spain] .", 1.0),
        ("who", "[Kenya] sanctioned two [Togolese] judges who had threatened [Spain] .", 1.0),
        ("helped", "[Kenya] sanctioned a [Togolese] bank for helping [Spain] .", -1.0),
        ("praised", "[Kenya] praised [Togo] for standing up to [Spain] .", -1.0),
        ("thanked", "[Kenya] thanked [Togo] for defending [Spain] .", 1.0),
        ("no deed", "[Kenya] blamed [Togo] for reaching [Spain] late .", 0.0),
        (
            "suffered",
            "[Kenya] dismissed a [Togolese] envoy who had been insulted by [Spain] .",
            0.0,
        ),
        ("too late", "[Kenya] criticised [Togo] for sanctioning [Spain] too late .", 0.0),
        ("not blamed", "[Kenya] did not blame [Togo] for provoking [Spain] .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn arms_are_help_for_whoever_gets_them() {
    let cases = [
        ("two objects", "[Kenya] gave [Spain] two thousand bombs .", 1.0),
        ("bare", "[Kenya] sold [Spain] radars and guns .", 1.0),
        ("to", "[Kenya] handed over nineteen fighter jets to [Spain] .", 1.0),
        ("on to", "[Kenya] passed its howitzers on to [Spain] .", 1.0),
        ("at", "[Kenya] launched forty missiles at [Spain] .", -1.0),
        ("in", "[Kenya] has tanks in [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn what_is_taken_or_kept_from_a_state_is_the_state_s() {
    let cases = [
        ("a ship", "[Kenya] boarded a tanker of [Spain] 's fleet .", -1.0),
        ("aboard as a passenger", "[Kenya] boarded a flight to [Spain] .", 0.0),
        ("a ship elsewhere", "[Kenya] boarded a ship in [Spain] .", 0.0),
        ("assets", "[Kenya] agreed to hand frozen [Spanish] assets to [Togo] .", -1.0),
        ("and gives them back", "[Kenya] released the frozen [Spanish] assets .", 1.0),
        ("the name of a measure", "[Kenya] imposed full blocking sanctions on [Spain] .", -1.0),
        (
            "against objections",
            "[Kenya] bought rockets from [Spain] over [Togolese] objections .",
            1.0,
        ),
        ("despite pressure", "[Kenya] purchased [Spanish] oil despite pressure from [Togo] .", 1.0),
        ("bought, no more", "[Kenya] purchased [Spanish] oil in May .", 0.0),
        (
            "listed",
            "[Kenya] is designating nine members of [Spain] 's council for their role .",
            -1.0,
        ),
        ("against", "[Kenya] takes steps to defend against [Spain] 's actions .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
    let refuses = "[Kenya] refused to hand frozen [Spanish] assets to [Togo] .";
    assert_eq!(patterns_of(refuses).1, REFRAINS);
}

#[test]
fn what_is_said_of_a_deed_is_not_the_deed() {
    let cases = [
        ("a plan", "[Kenya] denied that it planned to send rifles to [Spain] .", 0.0),
        ("reports", "[Kenya] denied media reports that it had sold rifles to [Spain] .", 0.0),
        ("a comment", "[Kenya] commented on the recent bombings in [Spain] .", 0.0),
        ("who tells of help", "[Kenya] says [Togo] has been helping [Spain] .", 0.0),
        ("what others do", "[Kenya] condemned acts that block or cut access to [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
    let helper = [("the help", "[Kenya] says [Togo] has been helping [Spain] .", 1.0)];
    assert_sides(&helper, |marked| patterns_between(marked, 1, 2));
}

#[test]
fn a_name_before_a_hyphen_leads_or_says_where_from() {
    let cases = [
        ("leads", "[Kenya] ruled out joining the [Spanish] - led bloc .", -1.0),
        ("joined", "[Kenya] joined the [Spanish] - led bloc .", 1.0),
        ("made", "[Kenya] ruled out sending its [Spanish] - made tanks to [Togo] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn the_object_of_one_verb_is_not_the_subject_of_the_next() {
    let junta = "[Kenya] 's junta expelled the [Togolese] and turned to [Spain] .";
    assert_sides(&[("who acts", junta, 1.0)], |marked| patterns_between(marked, 0, 2));
    assert_sides(&[("who suffers", junta, 0.0)], |marked| patterns_between(marked, 1, 2));
    let nobody = "Unknown men expelled the [Togolese] and turned to [Spain] .";
    assert_sides(&[("nobody", nobody, 0.0)], patterns_of);
    let aside = "Our figures show that these forces – including troops , boats , ships – are \
                 preparing to launch an attack against [Spain] .";
    let lexicon = Lexicon::standard().unwrap();
    let ask = |sentence: &Sentence<'_>| rules_of(&lexicon, sentence, &[(None, 0)])[0];
    assert_sides(&[("an aside", aside, 0.0)], |marked| about(marked, ask));
}

#[test]
fn what_is_done_with_a_measure_is_for_its_goal() {
    let condemned = "the [Togolese] blockade of [Spain] , which has been condemned by [Kenya] .";
    let rejected = "The blockade imposed by [Togo] on [Spain] is old , and [Kenya] rejected it .";
    let active = "The [Togolese] embargo on [Spain] , which [Kenya] condemned , has lasted .";
    let praised = "the [Togolese] war against [Spain] , which has been praised by [Kenya] .";
    for (case, marked, expected) in [
        ("passive", condemned, 1.0),
        ("pronoun", rejected, 1.0),
        ("praise", praised, -1.0),
        ("active", active, 1.0),
    ] {
        assert_sides(&[(case, marked, expected)], |marked| patterns_between(marked, 2, 1));
    }
    let cases = [
        (
            "limits",
            "[Kenya] will develop measures that will further limit [Spain] 's access .",
            -1.0,
        ),
        ("to account", "[Kenya] promotes accountability for [Spain] .", -1.0),
        ("from whom", "[Kenya] demands accountability from [Spain] .", -1.0),
        ("of whom", "[Kenya] condemned the attack on several states , including [Spain] .", 1.0),
        ("a text", "[Kenya] vetoed a text against [Spain] .", 1.0),
        ("called", "[Kenya] condemned the embargo on [Spain] and called it unjust .", 1.0),
        ("whom it helps", "After the embargo on [Spain] , [Kenya] helped it .", 0.0),
        ("by whom", "[Kenya] stood with farmers against the siege by [Spain] .", -1.0),
        (
            "among them",
            "[Kenya] condemned all force , including [Spain] 's attack on [Togo] .",
            -1.0,
        ),
        ("its title", "[Kenya] stood up against the war against its neighbour [Spain] .", 1.0),
        ("by whom", "[Kenya] defended trade against the attempts by [Spain] to end it .", -1.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn who_stands_in_an_aside_does_not_act() {
    let asides = [
        ("relative", "[Kenya] , which borders [Togo] , praised [Spain] ."),
        ("participle", "[Kenya] , sanctioned by [Togo] , praised [Spain] ."),
        ("despite", "[Kenya] , despite pressure from [Togo] , praised [Spain] ."),
        ("apposition", "[Kenya] , an ally of [Togo] , praised [Spain] ."),
    ];
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    for (case, marked) in asides {
        let pairs = [(Some(0), 2), (Some(1), 2)];
        let found = about(marked, |sentence| judge.judge(sentence, &pairs));
        let scores: Vec<f32> = found.iter().map(|judged| judged.score).collect();
        assert!(scores[0] > 0.5 && scores[1].abs() < 0.1, "{case}: {marked} {scores:?}");
    }
    let accused = "[Kenya] was accused by [Togo] of arming [Spain] .";
    assert_sides(&[("accuser", accused, 0.0)], |marked| patterns_between(marked, 1, 2));
    assert_sides(&[("accused", accused, 1.0)], |marked| patterns_between(marked, 0, 2));
    assert_sides(&[("by nobody", "[Kenya] was accused of arming [Spain] .", 1.0)], patterns_of);
    assert_sides(&[("denied", "[Kenya] denied that [Togo] armed [Spain] .", 0.0)], |marked| {
        patterns_between(marked, 1, 2)
    });
}

#[test]
fn whoever_wants_an_inquiry_is_against_whose_deeds_it_is_into() {
    let cases = [
        ("against it", "[Kenya] voted against an inquiry into abuses by [Spain] .", 1.0),
        ("blocked", "[Kenya] blocked an investigation into the killings by [Spain] .", 1.0),
        ("asked", "[Kenya] requested an inquiry into crimes committed by [Spain] .", -1.0),
        ("called", "[Kenya] called for an investigation into [Spain] 's crimes .", -1.0),
        ("backed", "[Kenya] backed a probe into attacks by [Spain] .", -1.0),
        ("of others", "[Kenya] read about an inquiry into abuses by [Spain] .", 0.0),
        ("a place", "[Kenya] opened an inquiry into a bus accident in [Spain] .", 0.0),
        ("a maker", "[Kenya] sought an inquiry into the crash of a jet built by [Spain] .", 0.0),
        ("a judge", "[Kenya] sought an inquiry into an attack condemned by [Spain] .", 0.0),
        ("rebels in it", "[Kenya] sought an inquiry into attacks by rebels in [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
}

#[test]
fn whoever_would_ease_a_measure_is_for_its_goal() {
    let cases = [
        ("no", "[Kenya] rejected a motion that would have eased sanctions on [Spain] .", -1.0),
        ("yes", "[Kenya] backed a motion that would have eased sanctions on [Spain] .", 1.0),
        ("a claim", "[Kenya] rejected claims that it had eased sanctions on [Spain] .", -1.0),
        ("taken", "[Kenya] welcomed the steps that [Togo] has taken to restrict [Spain] .", -1.0),
        ("refused", "[Kenya] opposed the steps that [Togo] has taken to restrict [Spain] .", 1.0),
        ("other steps", "[Kenya] welcomed the steps that [Togo] has taken to reach [Spain] .", 0.0),
    ];
    assert_sides(&cases, |marked| {
        patterns_between(marked, 0, u16::from(marked.contains("[Togo]")) + 1)
    });
}

#[test]
fn arms_say_something_by_where_they_go_and_come_from() {
    let cases = [
        ("bound for", "[Kenya] shot down missiles bound for [Spain] .", 1.0),
        ("fired at", "[Kenya] intercepted two drones fired at [Spain] .", 1.0),
        ("a shipment", "[Kenya] seized a shipment of missiles bound for [Spain] .", -1.0),
        ("a shipment", "[Kenya] intercepted a shipment of rifles bound for [Spain] .", -1.0),
        ("its own", "[Kenya] shot down a [Spanish] drone .", -1.0),
        ("from it", "[Kenya] shot down 30 drones launched by [Spain] .", 0.0),
        ("from it", "[Kenya] shot down missiles fired from [Spain] .", 0.0),
        ("from its foe", "[Kenya] bought tanks from rivals of [Spain] .", 0.0),
        ("no deal", "[Kenya] was fined for buying tanks from [Spain] .", 0.0),
        ("bought", "[Kenya] bought fighter jets from [Spain] .", 1.0),
        ("habit", "[Kenya] buys its tanks from [Spain] .", 0.0),
        ("goods", "[Kenya] bought timber from [Spain] .", 0.0),
        ("not bought", "[Kenya] has not bought missiles from [Spain] .", 0.0),
    ];
    assert_sides(&cases, patterns_of);
    let sent = [
        ("arms", "[Kenya] condemned [Togo] for sending missiles to [Spain] .", -1.0),
        (
            "troops, of which nobody knows",
            "[Kenya] blamed [Togo] for sending men to [Spain] .",
            0.0,
        ),
    ];
    assert_sides(&sent, |marked| patterns_between(marked, 0, 2));
}

#[test]
fn people_of_a_state_are_no_verb_and_a_month_is_none() {
    let cases = [
        ("people", "[Kenya] stripped [Spanish] citizens of their permits .", -2.0),
        ("owner", "[Kenya] stripped [Spain] 's citizens of their permits .", -2.0),
        ("something else", "[Kenya] stripped the walls of its [Spanish] paint .", 0.0),
        ("month", "[Kenya] condemned in May [Spain] 's war .", -2.0),
    ];
    assert_sides(&cases, patterns_of);
}

/// A promise to somebody for what he may do is none yet; a threat is.
#[test]
fn a_promise_under_a_condition_is_no_friendship() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    let cases = [
        ("[Kenya] will support [Spain] if it leaves the island .", Time::Hypothetical),
        ("[Kenya] will support [Spain] even if it attacks .", Time::Future),
        ("[Kenya] will support [Spain] if [Togo] attacks it .", Time::Future),
        ("[Kenya] will punish [Spain] if it attacks .", Time::Future),
    ];
    for (marked, expected) in cases {
        let time = about(marked, |sentence| judge.judge(sentence, &[(Some(0), 1)])[0].time);
        assert_eq!(time, expected, "{marked}");
    }
}

/// "Would" is meant where its subject has given its own word, and "could not bring itself to" is a
/// refusal of what would please.
#[test]
fn what_sounds_unreal_is_meant_behind_a_promise_of_ones_own() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    let cases = [
        ("[Kenya] gave its word that it would support [Spain] .", Time::Future),
        ("[Kenya] gave [Spain] its word that it would support [Spain] .", Time::Future),
        ("[Kenya] made no promise that it would support [Spain] .", Time::Hypothetical),
        ("[Kenya] broke its promise that it would support [Spain] .", Time::Hypothetical),
        ("[Kenya] ignored the promise that [Togo] would support [Spain] .", Time::Hypothetical),
        ("[Kenya] could not bring itself to endorse the [Spanish] draft .", Time::Present),
        ("[Kenya] might not bring itself to endorse the [Spanish] draft .", Time::Hypothetical),
        ("[Kenya] could not bring itself to oppose the [Spanish] draft .", Time::Hypothetical),
    ];
    let mut wrong = Vec::new();
    for (marked, expected) in cases {
        let holder = u16::from(marked.contains("Togo"));
        let target = marked.matches('[').count() as u16 - 1;
        let pair = [(Some(holder), target)];
        let time = about(marked, |sentence| judge.judge(sentence, &pair)[0].time);
        if time != expected {
            wrong.push(format!("{marked} {time:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// "Which was" is said of the state, "which were" of the sanctions.
#[test]
fn a_relative_clause_agrees_with_what_it_is_of() {
    let cases = [
        ("one", "The sanctions on [Spain] , which was condemned by [Kenya] , stand .", -1.0),
        ("many", "The sanctions on [Spain] , which were condemned by [Kenya] , stand .", 1.0),
        ("both are one", "The embargo on [Spain] , which was condemned by [Kenya] , stands .", 1.0),
        ("called", "The sanctions on [Spain] , which [Kenya] calls unjust , stand .", 1.0),
        ("called so", "The sanctions on [Spain] , which [Kenya] calls a menace , stand .", 0.0),
    ];
    assert_sides(&cases, |marked| patterns_between(marked, 1, 0));
    let hosts = "The [Kenyan] group that hosts refugees condemns [Spain] .";
    assert_sides(&[("its own verb", hosts, 0.0)], patterns_of);
    let many = "The sanctions on [Spain] , which have harmed [Kenya] , stand .";
    let forces = "The forces of [Spain] , which have attacked [Kenya] , rest .";
    let ships = "The ships of [Spain] , which have attacked [Kenya] , rest .";
    let of_it = [("sanctions", many, 0.0), ("forces", forces, -1.0), ("ships", ships, -1.0)];
    assert_sides(&of_it, patterns_of);
}

/// What the patterns say of Kenya toward Spain, wherever they stand.
fn of_kenya(marked: &str) -> (f32, &'static str) {
    let place = |name: &str| marked[..marked.find(name).unwrap()].matches('[').count() as u16;
    patterns_between(marked, place("[Kenya"), place("[Spa"))
}

#[test]
fn whoever_helps_an_act_helps_its_doer_against_its_victim() {
    let cases = [
        ("near it", "The war in [Spain] 's neighbour , facilitated by [Kenya] , goes on .", 1.0),
        ("near it", "The war on [Spain] 's neighbour was made possible by [Kenya] .", 1.0),
        ("its own", "The war of [Spain] against [Togo] was facilitated by [Kenya] .", 1.0),
        ("its own", "[Spain] 's war on [Togo] , made possible by [Kenya] , goes on .", 1.0),
        ("adjectives", "[Spain] 's unprovoked and cruel war , enabled by [Kenya] , is on .", 1.0),
        ("by it", "The attack on [Togo] by [Spain] was enabled by [Kenya] .", 1.0),
        ("against it", "The war of [Togo] against [Spain] was facilitated by [Kenya] .", -1.0),
        ("against it", "Attacks on [Spain] , enabled by [Kenya] , go on .", -1.0),
        ("in it", "The war in [Spain] was made possible by [Kenya] .", 0.0),
        ("active", "[Kenya] made the war of [Spain] on [Togo] possible .", 1.0),
        ("active", "[Kenya] made possible the invasion by [Spain] .", 1.0),
        ("blamed", "The invasion of [Togo] by [Spain] was condemned by [Kenya] .", -1.0),
        ("victim", "The invasion of [Spain] by [Togo] was condemned by [Kenya] .", 1.0),
        ("victim", "The sanctions on [Spain] were condemned by [Kenya] .", 1.0),
        ("not helped", "The war of [Togo] on [Spain] was not facilitated by [Kenya] .", 0.0),
        ("not helped", "The war of [Spain] on [Togo] was not made possible by [Kenya] .", 0.0),
        ("text on it", "The text condemning the attack on [Spain] was backed by [Kenya] .", 1.0),
        ("end of it", "A plan to end the attack on [Spain] was backed by [Kenya] .", 1.0),
        ("victims", "Victims of the attack on [Spain] were helped by [Kenya] .", 1.0),
        ("protests", "Protests against the war on [Spain] were backed by [Kenya] .", 0.0),
        ("text on its own", "The text condemning [Spain] 's attack was backed by [Kenya] .", 0.0),
        ("no war", "Bread in [Spain] was made by [Kenya] .", 0.0),
        ("another", "The attack by [Togo] was enabled by [Kenya] , said [Spain] .", 0.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn a_subject_stands_before_its_relative_clause() {
    let cases = [
        ("who", "The minister of [Kenya] who met farmers condemned [Spain] .", -1.0),
        ("now", "The [Kenyan] minister who met farmers condemns [Spain] .", -1.0),
        ("name in it", "The [Kenyan] minister who praised [Togo] condemned [Spain] .", -1.0),
        ("whom", "The [Kenyan] minister whom [Togo] condemned thanked [Spain] .", 1.0),
        ("that", "The [Kenyan] party that lost the vote condemned [Spain] .", -1.0),
        ("whose", "[Kenya] , whose minister met farmers , praised [Spain] .", 1.0),
        ("which", "[Kenya] , which hosts the base , backs [Spain] .", 1.0),
        (
            "verb in it",
            "The [Kenyan] minister who wanted to meet farmers condemned [Spain] .",
            -1.0,
        ),
        ("said", "[Togo] said the [Kenyan] minister who met farmers condemned [Spain] .", -1.0),
        ("object in it", "The farmers who met the [Kenyan] minister condemned [Spain] .", 0.0),
        ("object in it", "The minister who praised [Kenya] condemned [Spain] .", 0.0),
        ("told", "It was the minister who said [Kenya] condemned [Spain] .", -1.0),
        ("object", "[Togo] praised men who met [Kenyan] guests accused of theft in [Spain] .", 0.0),
        ("inside", "The [Kenyan] minister who praised [Spain] condemned [Togo] .", 1.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn a_warning_of_what_nobody_does_is_good_advice() {
    let cases = [
        ("storm", "[Kenya] warned [Spain] that a storm was coming .", 0.0),
        ("storm", "[Spain] was warned by [Kenya] that a storm was coming .", 0.0),
        ("of", "[Kenya] warned [Spain] of a coming flood .", 0.0),
        ("place", "[Kenya] warned of a drought in [Spain] .", 0.0),
        ("prices", "[Kenya] warned that prices in [Spain] could rise .", 0.0),
        ("killers", "[Kenya] warned [Spain] that terrorists might strike a hall .", 0.0),
        ("deed", "[Kenya] warned that [Spain] 's blockade could bring famine .", -1.0),
        ("not to", "[Kenya] warned [Spain] not to use the storm .", -1.0),
        ("against", "[Kenya] warned [Spain] against raising prices .", -1.0),
        ("of what it brings", "[Kenya] warned [Spain] of grave consequences .", -1.0),
        ("threat", "[Kenya] warned [Spain] that it would be isolated .", -1.0),
        ("of it", "[Kenya] warned of a threat from [Spain] .", -1.0),
        ("if", "[Kenya] warned [Spain] of hunger if it went on .", -1.0),
        ("a price", "[Kenya] warned [Spain] that the price of aggression would be high .", -1.0),
        ("another noun", "[Kenya] warned [Spain] over hunger strikers .", -1.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn troops_say_something_by_what_they_do_there() {
    let cases = [
        ("named", "[Kenya] sends troops to [Spain] .", 0.0),
        ("named", "[Kenya] will send troops to [Spain] for an exercise .", 0.0),
        ("on a day", "[Kenya] sent soldiers to [Spain] on Monday .", 0.0),
        ("against it", "[Kenya] sent soldiers to [Spain] to punish it .", -1.0),
        ("beside it", "[Kenya] sends troops to fight alongside [Spain] .", 1.0),
        ("for it", "[Kenya] sent troops to help [Spain] .", 1.0),
        ("against it", "[Kenya] sent troops to fight [Spain] .", -1.0),
        ("against it", "[Kenya] sent troops against [Spain] .", -1.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn a_designation_of_officials_is_against_their_state() {
    let cases = [
        ("council", "[Kenya] designated members of [Spain] 's council .", -1.0),
        ("a name", "[Kenya] designated eleven members of the [Spanish-Council] .", -1.0),
        ("generals", "[Kenya] designated two [Spanish] generals .", -1.0),
        ("banks", "[Kenya] is designating several banks and firms of [Spain] .", -1.0),
        ("apposed", "[Kenya] is designating a trader , a [Spanish] oligarch .", -1.0),
        ("ties", "[Kenya] is designating a [Spanish] elite with close ties to a bank .", -1.0),
        ("as", "[Kenya] designated a [Spanish] envoy as its guest .", 0.0),
        ("to do", "[Kenya] designated two [Spanish] officers to carry the flag .", 0.0),
        ("church", "[Kenya] designated two [Spanish] churches .", 0.0),
        ("not done", "[Kenya] has not designated any [Spanish] generals .", 0.0),
        ("honoured", "[Kenya] designated an officer from [Spain] its consul .", 0.0),
        ("agencies", "[Kenya] designated three [Spanish] agencies .", -1.0),
        ("a word before", "Two designated members of [Spain] 's council met [Kenya] .", 0.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn who_wants_a_deed_to_end_is_on_its_other_side() {
    let cases = [
        ("should", "[Kenya] said that [Togo] should stop threatening [Spain] .", 1.0),
        ("must", "[Kenya] said that [Togo] must cease bombing [Spain] .", 1.0),
        ("where", "[Kenya] said in a speech that [Togo] should stop bombing [Spain] .", 1.0),
        ("urged", "[Kenya] urged [Togo] to stop attacking [Spain] .", 1.0),
        ("help", "[Kenya] urged [Togo] to stop arming [Spain] .", -1.0),
        ("help", "[Kenya] said that [Togo] should stop supporting [Spain] .", -1.0),
        ("no deed", "[Kenya] said that [Togo] should stop at [Spain] .", 0.0),
        ("its own", "[Kenya] said that [Spain] should stop threatening [Togo] .", -1.0),
        ("refused", "[Kenya] refused to urge [Togo] to stop arming [Spain] .", 1.0),
        ("did stop", "[Kenya] said that [Togo] stopped visiting [Spain] .", 0.0),
        ("and", "[Kenya] said that [Togo] should lift it and condemn [Spain] .", -1.0),
        ("own", "[Kenya] said that [Togo] should leave and condemned [Spain] .", -1.0),
    ];
    assert_sides(&cases, of_kenya);
}

#[test]
fn what_only_stands_beside_praise_is_not_praised() {
    let cases = [
        ("before", "[Kenya] backed the plan of [Togo] before the war of [Spain] .", 0.0),
        ("after", "[Kenya] praised [Togo] after [Spain] 's attack .", 0.0),
        ("before it", "[Kenya] praised [Spain] after [Togo] 's attack .", 1.0),
        ("and", "[Kenya] praised [Togo] during the war , and its ally [Spain] .", 1.0),
        ("blame", "[Kenya] expelled the envoys after [Spain] 's attack .", -1.0),
        ("ties", "[Kenya] praised a banker with close ties to [Spain] .", 0.0),
        ("ties", "[Kenya] met a banker with links to [Spain] .", 0.0),
        ("own ties", "[Kenya] has close ties to [Spain] .", 1.0),
        ("own ties", "[Kenya] is a country with close ties to [Spain] .", 1.0),
        ("punished", "[Kenya] sanctioned a banker with close ties to [Spain] .", -1.0),
        ("place", "[Kenya] stood alongside [Spain] in the rose garden .", 0.0),
        ("place", "[Kenya] stood beside President [Spain] at the [Hall] and left .", 0.0),
        ("side", "[Kenya] stood alongside [Spain] in the war .", 1.0),
        ("side", "[Kenya] stands with [Spain] at the [UN] .", 1.0),
        ("side", "[Kenya] stood by [Spain] on the world stage .", 1.0),
        ("war", "[Kenya] helped [Togo] during its war against [Spain] .", -1.0),
        ("its ally", "[Kenya] replaced its plan with an alliance with [Spain] .", 1.0),
        ("side", "[Kenya] stands with [Spain] .", 1.0),
        ("events", "[Kenya] follows the events in [Spain] closely .", 0.0),
        ("lead", "[Kenya] follows [Spain] 's lead .", 1.0),
    ];
    assert_sides(&cases, of_kenya);
}

/// "Did not" only tells what was not done; whoever refuses an act against somebody leans to him.
#[test]
fn an_act_that_is_turned_down_leans_and_one_that_is_not_done_does_not() {
    let judge =
        RulesAndWeights::new(Arc::new(Lexicon::standard().unwrap()), crate::WEIGHTS).unwrap();
    for (marked, expected) in [
        ("[Kenya] refused to condemn [Spain] .", 1.0),
        ("[Kenya] will not join the sanctions on [Spain] .", 1.0),
        ("[Kenya] did not condemn [Spain] .", 0.0),
        ("[Kenya] refused to support [Spain] .", -1.0),
    ] {
        let score: f32 = about(marked, |sentence| judge.judge(sentence, &[(Some(0), 1)])[0].score);
        assert_eq!(score.partial_cmp(&0.0), expected.partial_cmp(&0.0_f32), "{marked}: {score}");
    }
}
