//! Re-emits a plugin's events in the host's `tracing`, under the target `plugin::<name>`.
//!
//! A target is part of an event's static description, so each plugin gets its own, made when it
//! is loaded and kept for ever, as the plugin is.

use std::sync::OnceLock;

use tracing::callsite::{self, Callsite, Identifier};
use tracing::field::{FieldSet, Value};
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, dispatcher};

/// Where a plugin's events come out in the host: one description for each level.
#[derive(Debug)]
pub(super) struct EventSites {
    sites: [&'static Site; 5],
}

#[derive(Debug)]
struct Site {
    /// Set once, right after the site is made: the two refer to each other.
    metadata: OnceLock<Metadata<'static>>,
}

impl EventSites {
    /// Makes the descriptions of a plugin's events; never freed.
    pub(super) fn new(plugin: &str) -> Self {
        let target: &'static str = format!("plugin::{plugin}").leak();
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        Self { sites: levels.map(|level| Site::new(target, level)) }
    }

    /// Emits an event; `level` is the ABI's number, and one that it does not know is an error.
    pub(super) fn emit(&self, level: u32, origin: &str, message: &str, fields: Option<&str>) {
        let site = self.sites[(level as usize).saturating_sub(1).min(4)];
        let Some(metadata) = site.metadata.get() else { return };
        dispatcher::get_default(|listener| {
            if !listener.enabled(metadata) {
                return;
            }
            let mut names = metadata.fields().iter();
            let (Some(first), Some(second), Some(third)) =
                (names.next(), names.next(), names.next())
            else {
                return;
            };
            let fields = fields.map(tracing::field::display);
            let values: [(_, Option<&dyn Value>); 3] = [
                (&first, Some(&tracing::field::display(message) as &dyn Value)),
                (&second, Some(&origin as &dyn Value)),
                (&third, fields.as_ref().map(|fields| fields as &dyn Value)),
            ];
            listener.event(&Event::new(metadata, &metadata.fields().value_set(&values)));
        });
    }
}

impl Site {
    fn new(target: &'static str, level: Level) -> &'static Self {
        let site: &'static Self = Box::leak(Box::new(Self { metadata: OnceLock::new() }));
        site.metadata.get_or_init(|| {
            let fields = FieldSet::new(&["message", "origin", "fields"], Identifier(site));
            Metadata::new("event of a plugin", target, level, None, None, None, fields, Kind::EVENT)
        });
        callsite::register(site);
        site
    }
}

impl Callsite for Site {
    fn set_interest(&self, _: Interest) {}

    #[expect(clippy::expect_used, reason = "a site is registered after it is described")]
    fn metadata(&self) -> &Metadata<'_> {
        self.metadata.get().expect("described before it was registered")
    }
}
