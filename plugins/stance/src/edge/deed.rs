//! What a verb says by the noun in its object: "backs sanctions on X", "an end to the embargo".

use super::{Chain, DEFIES, Finder, REFRAINS, RESISTS, TAKES};
use crate::clause::{Group, owned_run};
use crate::lexicon::{Carry, Cue, Kind, class};
use crate::reading::{Part, Word};

impl Finder<'_, '_, '_> {
    /// What a verb says of whom its object, a noun of the lists, is for: a score and its rule.
    pub(super) fn of_object_noun(
        &self,
        group: &Group,
        (cue, own): (Cue, f32),
        noun: Cue,
        index: usize,
        chain: Chain,
    ) -> (f32, &'static str) {
        let negated = index > group.end
            && self.reading.words[group.end..index].iter().any(|word| word.part == Part::Negation);
        let odd = negated ^ chain.is_odd();
        // "Commented on the bombing of X" is no bombing.
        let tells = ["comment", "remark", "report", "speak", "spoke", "talk"]
            .iter()
            .any(|stem| self.reading.words[group.head].lower.starts_with(stem));
        if tells && own == 0.0 && matches!(noun.kind, Kind::War | Kind::Act) {
            return (0.0, "noun of the object");
        }
        if noun.score < 0.0 && !odd && self.is_ended(index) {
            let keeps = cue.carry != Carry::Turn;
            return if keeps { (1.0, RESISTS) } else { (-1.0, "noun of the object") };
        }
        // "Fought a war against".
        if cue.kind == Kind::War && noun.kind == Kind::War && !odd {
            return (noun.score, "noun of the object");
        }
        let score = if negated {
            Self::turned(noun.score, Chain { turns: 0, negations: 1, cut: false })
        } else {
            Self::carried(own, noun.score, cue.carry, chain)
        };
        if noun.score < 0.0 && !chain.cut {
            return self.toward_act(group, (cue.carry, noun.kind), odd, chain, score);
        }
        (score, "noun of the object")
    }

    /// "Bought arms from X over Y's objections": whoever buys in spite of others leans to X.
    pub(super) fn of_defiance(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let buys = ["buy", "bought", "purchas", "import", "acquir", "order"]
            .iter()
            .any(|stem| words[group.head].lower.starts_with(stem));
        let chain = self.chain(group);
        if !buys || group.passive || chain.cut || chain.is_odd() {
            return;
        }
        let own = Cue { score: 1.0, carry: Carry::Keep, kind: Kind::None, lemma: 0 };
        let cue = group.cue.unwrap_or(own);
        let objects = group.end..group.until.max(group.end);
        let spites = |at: usize| {
            let behind = words.get(at + 1..).unwrap_or_default();
            let is_in_spite = words[at].lower == "despite"
                || words[at].lower == "over" && behind.first().is_some_and(|w| w.name().is_some());
            is_in_spite && behind.iter().take(3).any(|word| objects_to(&word.lower))
        };
        let Some(spite) = objects.clone().find(|&at| spites(at)) else { return };
        let bought = objects.start..spite;
        let from = bought.clone().find(|&at| words[at].lower == "from").map(|from| from + 1);
        // "Amounts of X's oil".
        let is_of_goods = |at: &usize| {
            owned_run(self.reading, *at).is_some_and(|run| are_goods(&words[run.head].lower))
        };
        let seller = from.or_else(|| bought.clone().find(is_of_goods));
        if let Some(seller) = seller.and_then(|at| words.get(at)?.name()) {
            self.give(group, seller, 1.0, (cue, group.head, group.end), DEFIES);
        }
    }

    /// "Seized a tanker carrying X's oil", "inspects ships that carry it": whoever stops what is X's
    /// on its way acts against X.
    pub(super) fn of_cargo(&mut self, number: usize) {
        let Some([group, cargo]) = self.groups.get(number..number + 2) else { return };
        let words = &self.reading.words;
        let begins =
            |stems: &[&str]| stems.iter().any(|stem| words[group.head].lower.starts_with(stem));
        let stops = begins(&[
            "seiz",
            "detain",
            "impound",
            "confiscat",
            "intercept",
            "stop",
            "halt",
            "block",
        ]);
        let searches = begins(&["board", "inspect", "search"]);
        let cue = match group.cue {
            Some(cue) if stops && cue.score < 0.0 => cue,
            _ if searches => Cue { score: -1.0, carry: Carry::Keep, kind: Kind::None, lemma: 0 },
            _ => return,
        };
        let carries = ["carry", "carri", "transport", "shipping", "haul", "smuggl"]
            .iter()
            .any(|stem| words[cargo.head].lower.starts_with(stem));
        let object = words.get(group.end..cargo.start).unwrap_or_default();
        let is_object = object.iter().all(|word| {
            let parts = [Part::Determiner, Part::Adjective, Part::Noun];
            parts.contains(&word.part) || matches!(&*word.lower, "that" | "which")
        });
        let is_ship = object.iter().any(|word| is_ship(&word.lower));
        let chain = self.chain(group);
        if group.passive || !carries || !is_object || !(stops || is_ship) {
            return;
        }
        if chain.cut || chain.is_odd() {
            return;
        }
        // "Tonnes of X's oil", but not "drugs to X".
        let mut cargo = (cargo.end..cargo.until.max(cargo.end))
            .take_while(|&at| words[at].part != Part::Preposition || words[at].lower == "of");
        let owner = cargo.find(|&at| words[at].name().is_some());
        let goods = owner.and_then(|at| owned_run(self.reading, at));
        let is_goods = goods.is_some_and(|run| are_goods(&words[run.head].lower));
        if let Some(owner) = owner.filter(|_| is_goods).and_then(|at| words[at].name()) {
            self.give(group, owner, cue.score, (cue, group.head, group.end), TAKES);
        }
    }

    /// "Boarded a tanker of X's fleet": whoever goes aboard what is X's acts against X.
    pub(super) fn of_boarding(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let chain = self.chain(group);
        let boards = words[group.head].lower.starts_with("board");
        if !boards || group.passive || chain.cut || chain.is_odd() {
            return;
        }
        // "Boarded a ship in X" and "to X" say nothing of whose it is.
        let objects = (group.end..group.until.max(group.end))
            .take_while(|&at| words[at].part != Part::Preposition || words[at].lower == "of");
        let owner = objects.clone().find_map(|at| words[at].name());
        let is_ship = objects.clone().any(|at| is_ship(&words[at].lower));
        if let Some(owner) = owner.filter(|_| is_ship) {
            let cue = Cue { score: -1.0, carry: Carry::Keep, kind: Kind::None, lemma: 0 };
            self.give(group, owner, -1.0, (cue, group.head, group.end), TAKES);
        }
    }

    /// "Removed X from its list of state sponsors of terrorism", "put X back on the blacklist".
    pub(super) fn of_listing(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let begins = |stems: &[&str]| stems.iter().any(|stem| head.starts_with(stem));
        let takes =
            begins(&["remov", "took", "take", "taking", "strik", "struck", "delet", "drop"]);
        let puts =
            begins(&["add", "put", "return", "restor", "plac", "keep", "kept", "leav", "left"]);
        let until = group.until.max(group.end);
        let goal = (group.end..until).take(3).find(|&at| words[at].name().is_some());
        let chain = self.chain(group);
        let Some(goal) = goal.filter(|_| (takes || puts) && !group.passive && !chain.cut) else {
            return;
        };
        let rest = &words[goal + 1..until];
        let names = |stems: &[&str]| {
            rest.iter().any(|word| stems.iter().any(|stem| word.lower.starts_with(stem)))
        };
        let is_list = names(&["list", "blacklist"])
            && (names(&["blacklist", "terror", "sponsor", "sanction"]));
        let links = |forms: &[&str]| rest.iter().take(3).any(|word| forms.contains(&&*word.lower));
        let score = match (takes && links(&["from", "off"]), puts && links(&["to", "on", "onto"])) {
            (true, _) => 1.0,
            (_, true) => -1.0,
            _ => return,
        };
        if let Some(party) = words[goal].name().filter(|_| is_list) {
            let score = if chain.is_odd() { -score } else { score };
            self.rule(group, (group.start, until), party, score, TAKES);
        }
    }

    /// "Hand X's frozen assets to Y", "released X's frozen funds": whoever uses what was taken from
    /// X acts against X, and whoever gives it back does not.
    pub(super) fn of_frozen(&mut self, number: usize) {
        let group = &self.groups[number];
        let words = &self.reading.words;
        let head = &*words[group.head].lower;
        let frees =
            ["releas", "return", "unfreez", "unblock"].iter().any(|stem| head.starts_with(stem));
        let chain = self.chain(group);
        // "Demanded that Y return X's assets" is another's wish.
        let is_wished = self.groups.iter().any(|other| {
            other.start < group.start && other.cue.is_some_and(|cue| cue.kind == Kind::Wish)
        });
        if group.passive || chain.cut || is_wished || !(frees || uses_what_is_kept(head)) {
            return;
        }
        let until = group.until.max(group.end);
        let mut objects = (group.end..until)
            .take_while(|&at| words[at].part != Part::Preposition || words[at].lower == "of");
        let is_taken = objects.clone().any(|at| {
            matches!(&*words[at].lower, "frozen" | "immobilised" | "immobilized" | "blocked")
        });
        let owner = objects.find(|&at| {
            owned_run(self.reading, at).is_some_and(|run| is_wealth(&words[run.head].lower))
        });
        let Some(owner) = owner.filter(|_| is_taken).and_then(|at| words[at].name()) else {
            return;
        };
        // "Transferred X's frozen funds to X".
        let actor = |party: u16| self.reading.parties[usize::from(party)].actor;
        let goal = (group.end..until)
            .find(|&at| words[at].lower == "to")
            .and_then(|to| words[to..until].iter().find_map(Word::name));
        let gives_back = frees || goal.is_some_and(|goal| actor(goal) == actor(owner));
        let (score, rule) = match (gives_back, chain.is_odd()) {
            (false, true) => (chain.lean(), REFRAINS),
            (true, true) | (false, false) => (-1.0, TAKES),
            (true, false) => (1.0, TAKES),
        };
        let cue = Cue { score, carry: Carry::Keep, kind: Kind::None, lemma: 0 };
        self.give(group, owner, score, (cue, group.head, group.end), rule);
    }

    /// "Condemned the threats of X", "gave full support to the war of X": the deed is that of
    /// whoever is named behind it.
    pub(super) fn is_of_doer(&self, noun: usize, end: usize) -> bool {
        let words = &self.reading.words;
        let is_deed = matches!(
            &*words[noun].lower,
            "aggression"
                | "aggressions"
                | "attack"
                | "attacks"
                | "strikes"
                | "threat"
                | "threats"
                | "crimes"
                | "provocations"
                | "lies"
                | "war"
                | "wars"
                | "offensive"
                | "campaign"
        );
        is_deed && words.get(end).is_some_and(|next| next.lower == "of")
    }

    /// "An end to the embargo", "the lifting of sanctions".
    fn is_ended(&self, noun: usize) -> bool {
        let words = &self.reading.words;
        let before = words[..noun].iter().rposition(|word| {
            !matches!(word.part, Part::Determiner | Part::Adjective | Part::Noun)
                || word.is(class::MEASURE)
        });
        let Some(of) = before.filter(|&at| 0 < at && matches!(&*words[at].lower, "to" | "of"))
        else {
            return false;
        };
        matches!(
            &*words[of - 1].lower,
            "end"
                | "halt"
                | "lifting"
                | "removal"
                | "easing"
                | "suspension"
                | "repeal"
                | "cessation"
        )
    }

    /// What a verb says of whom its object, a hostile noun, is against: a score and its rule.
    ///
    /// - `odd`: whether the object is not had, or not done.
    /// - `score`: what verb and noun come to.
    fn toward_act(
        &self,
        group: &Group,
        (carry, kind): (Carry, Kind),
        odd: bool,
        chain: Chain,
        score: f32,
    ) -> (f32, &'static str) {
        let judges = group.cue.is_some_and(|cue| matches!(cue.kind, Kind::None | Kind::Judge));
        match carry {
            Carry::Keep if odd => (chain.lean(), REFRAINS),
            // "Abstained in the vote against X": as where the text of the vote has a verb.
            Carry::Turn if self.abstains(group) => (0.0, REFRAINS),
            Carry::Turn if !odd && score > 0.0 && kind == Kind::Attitude => (score, RESISTS),
            // "Condemned the attack on the consulate of X" is no more than sympathy.
            Carry::Turn if !odd && score > 0.0 && judges => (score.min(1.0), RESISTS),
            _ => (score, "noun of the object"),
        }
    }

    /// What a noun inside the object says, when its verb says `own`.
    pub(super) fn carried(own: f32, score: f32, carry: Carry, chain: Chain) -> f32 {
        let side = if own > 0.0 { 1.0 } else { -1.0 };
        match carry {
            Carry::Keep if own == 0.0 => Self::turned(score, chain),
            Carry::Keep => score.signum() * score.abs().max(own.abs()) * side,
            Carry::Turn if own == 0.0 => {
                Self::turned(score, Chain { turns: chain.turns + 1, ..chain })
            }
            // The turn and its negation are in `own` already.
            Carry::Turn => score * side * own.abs().min(1.0),
            Carry::Cut | Carry::Report => 0.0,
        }
    }
}

/// Whether a word names what others have against a deed.
fn objects_to(word: &str) -> bool {
    matches!(
        word,
        "objection"
            | "objections"
            | "pressure"
            | "criticism"
            | "opposition"
            | "protest"
            | "protests"
            | "outcry"
            | "warning"
            | "warnings"
            | "condemnation"
    )
}

/// Whether a verb takes what was frozen for other ends.
fn uses_what_is_kept(verb: &str) -> bool {
    let forms = [
        "hand",
        "hands",
        "handed",
        "handing",
        "transfer",
        "transfers",
        "transferred",
        "transferring",
        "give",
        "gives",
        "gave",
        "giving",
        "use",
        "uses",
        "used",
        "using",
        "send",
        "sends",
        "sent",
        "sending",
        "lend",
        "lends",
        "lent",
        "lending",
        "confiscate",
        "confiscates",
        "confiscated",
        "confiscating",
    ];
    forms.contains(&verb)
}

/// Whether a word names what states keep abroad.
fn is_wealth(word: &str) -> bool {
    matches!(word, "asset" | "assets" | "fund" | "funds" | "reserves" | "money" | "deposits")
}

/// Whether a word names a ship that carries goods, or many of them; others are for guests.
fn is_ship(word: &str) -> bool {
    let word = word.strip_suffix('s').unwrap_or(word);
    matches!(word, "tanker" | "freighter" | "trawler" | "cargo" | "fleet")
}

/// Whether a word names what ships carry for whoever sells it.
fn are_goods(word: &str) -> bool {
    matches!(
        word,
        "oil"
            | "crude"
            | "gas"
            | "fuel"
            | "coal"
            | "grain"
            | "steel"
            | "gold"
            | "diamonds"
            | "timber"
            | "fertiliser"
            | "fertilizer"
            | "weapons"
            | "arms"
            | "ammunition"
            | "missiles"
            | "drones"
            | "goods"
            | "cargo"
    )
}
