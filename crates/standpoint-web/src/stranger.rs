//! Names in an address that nobody has: no rows would look like an answer.

use maud::{Markup, html};
use standpoint_store::{
    Store, figures, is_same_name, is_state_id, names, state_called, state_names,
};

use crate::address::Query;
use crate::filters;
use crate::near::{MOST_NAMES, MOST_NEAR, nearest, suggestion};
use crate::site::{Site, SiteError};
use crate::text::line;

/// A target, an actor or a source that neither the store nor the daemon knows.
pub(crate) struct Stranger {
    /// What stands before it in the address.
    pub(crate) key: &'static str,
    value: String,
    /// Those that there are; of actors, who may be many, none.
    known: Vec<String>,
}

impl Stranger {
    /// The first stranger in an address. Of an id or a state none may have come yet, but of three
    /// capitals that are no state's code, and a store that has nothing at all has nothing to tell a
    /// name by.
    pub(crate) fn in_address(site: &Site, query: &str) -> Result<Option<Self>, SiteError> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let pairs = pairs.filter(|(_, value)| !value.trim().is_empty());
        for (key, value) in pairs {
            let value = value.trim();
            let name = value.strip_prefix("author:").filter(|_| key == "who").unwrap_or(value);
            let is_id = name.starts_with("name:") || !name.contains(char::is_lowercase);
            let is_state = || state_names().any(|state| is_same_name(state, name));
            let is_code = is_state_id(name);
            let may_come = || {
                is_id && !is_code
                    || is_state()
                    || state_called(name).is_some()
                    || site.daemon().knows(name)
            };
            // Another name of whom the tables know is no id.
            let may_stand = || {
                let known = site.daemon().called(name);
                is_state() || known.map_or(is_id, |(id, _)| is_same_name(&id, name))
            };
            let found = |key, known| Ok(Some(Self { key, value: value.to_owned(), known }));
            match key.as_ref() {
                "target" if !may_come() => {
                    let known = site.reading(|store| {
                        let is_known = names::target_called(store, value)?.is_some();
                        Ok(if is_known { Vec::new() } else { figures::targets(store)? })
                    })?;
                    let known: Vec<String> = known.into_iter().map(|target| target.name).collect();
                    if !known.is_empty() {
                        return found("target", known);
                    }
                }
                "who" if !may_stand() => {
                    let is_strange = site.reading(|store| {
                        let is_known = site.holder_called(store, value)?.is_some();
                        Ok(!is_known && !names::actors(store, "", 1)?.is_empty())
                    })?;
                    if is_strange {
                        return found("who", Vec::new());
                    }
                }
                "source" => {
                    let known = site.reading(figures::sources)?;
                    let mut known: Vec<String> =
                        known.into_iter().map(|(source, _)| source).collect();
                    if known.is_empty() {
                        continue;
                    }
                    let Some(configured) = site.daemon().sources() else { continue };
                    known.extend(configured);
                    if !known.iter().any(|source| source == value) {
                        known.sort_unstable();
                        known.dedup();
                        return found("source", known);
                    }
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// What was found and what was expected, for programs.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) fn told(&self, store: &Store) -> Result<String, standpoint_store::Error> {
        let shown: String = self.value.chars().take(60).collect();
        let expected = if self.key == "who" {
            "an actor's id or name; `/api/v1/actors?name=` finds them".to_owned()
        } else {
            let known: Vec<&str> = self.known.iter().take(20).map(String::as_str).collect();
            format!("one of `{}`", known.join("`, `"))
        };
        let near = suggestion(self.near(store)?.into_iter().next().map(|(_, name)| name));
        Ok(format!("found `{}={shown}`, expected {expected}{near}", self.key))
    }

    /// The same for people, with links to whom they may have meant.
    ///
    /// - `path`: the page that was asked for.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub(crate) fn shown(
        &self,
        store: &Store,
        query: &Query,
        path: &str,
    ) -> Result<Markup, standpoint_store::Error> {
        let with = |value| format!("{path}{}", query.address_with(&[(self.key, value)]));
        let shown: String = self.value.chars().take(60).collect();
        let shown = line(shown.strip_prefix("author:").unwrap_or(&shown));
        let (nobody, all) = match self.key {
            "who" => ("Nobody here is called", "Everybody"),
            // The form of what is looked at says that there is none, and which may have been meant.
            "target" => {
                return Ok(
                    html! { p { a href=(with(None)) { "The target with the most stances" } } },
                );
            }
            _ => ("No document here is of the source", "All sources"),
        };
        let near = self.near(store)?;
        let near = near.iter().map(|(value, name)| (with(Some(value)), name.as_str()));
        Ok(html! {
            p.complaint { (nobody) " \u{201c}" bdi { (shown) } "\u{201d}." }
            (filters::did_you_mean(near))
            p { a href=(with(None)) { (all) } }
        })
    }

    /// Those who may have been meant, the likeliest first: each what an address says, and a name.
    fn near(&self, store: &Store) -> Result<Vec<(String, String)>, standpoint_store::Error> {
        if self.key != "who" {
            let known = self.known.iter().map(|name| (name.clone(), name.clone()));
            return Ok(nearest(&self.value, known.collect()));
        }
        let called = self.value.strip_prefix("author:").unwrap_or(&self.value);
        // Half a name is more than a likeness.
        let mut near = names::actors(store, called, MOST_NEAR)?;
        let alike = nearest(called, names::actors(store, "", MOST_NAMES)?);
        near.extend(alike.into_iter().filter(|one| !near.contains(one)).collect::<Vec<_>>());
        near.truncate(MOST_NEAR);
        Ok(near)
    }
}
