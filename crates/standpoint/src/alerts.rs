//! Tells people when somebody's stance moves: a line in a file, a request to an address.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use standpoint_config::AlertSettings;
use standpoint_connectors::files::with_causes;
use standpoint_connectors::webhook::{Client, Endpoint, Verdict};
use standpoint_store::shifts::{self, Shift};
use standpoint_store::{Filter, Place, figures};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

use crate::exit;

/// What was told, in the data folder, so that a restart tells nothing twice.
const TOLD: &str = "alerts.json";

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a shift is sent before the next look at the store sends it again.
const ATTEMPTS: u32 = 4;

/// How long to wait before the second attempt; twice as long before each further one.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The longest pause that an address may ask for: the other shifts wait meanwhile, and the next
/// look at the store tries again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How many shifts are remembered, the latest ones: there are no more actors of note.
const MOST_TOLD: usize = 10_000;

/// Watches a store for shifts.
pub(crate) struct Alerts {
    settings: AlertSettings,
    webhook: Option<Client>,
    store: Place,
    told_in: PathBuf,
    state: State,
}

/// What people were told, in the data folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// What everybody was told.
    told: Told,
    /// What stands in the file, also where the webhook has not taken it yet.
    filed: Told,
}

/// The last day of the window in which a shift was told, by target, who and direction. The same
/// shift is there the next day, too, and is not told again before the window has passed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told(BTreeMap<String, String>);

impl Told {
    fn slot(shift: &Shift) -> String {
        let way = if shift.now > shift.before { "toward" } else { "away" };
        format!("{} {way} {}", shift.target, shift.who)
    }

    /// Whether a shift was told in a window that overlaps this one's.
    fn has(&self, shift: &Shift) -> bool {
        // Dates of this form order like text.
        self.0.get(&Self::slot(shift)).is_some_and(|last| *last >= shift.from)
    }

    fn note(&mut self, shift: &Shift) {
        self.0.insert(Self::slot(shift), shift.to.clone());
    }

    /// Forgets what no window can overlap any more, and what is more than `most`.
    ///
    /// - `found`: the shifts of now, whose windows only move forward.
    fn prune(&mut self, found: &[Shift], most: usize) {
        if let Some(first) = found.iter().map(|shift| &shift.from).min() {
            self.0.retain(|_, last| &*last >= first);
        }
        if self.0.len() > most {
            let mut days: Vec<String> = self.0.values().cloned().collect();
            days.sort_unstable_by(|one, other| other.cmp(one));
            let first = days.swap_remove(most - 1);
            self.0.retain(|_, last| *last >= first);
        }
        // As many on one day as on no day of the world.
        while self.0.len() > most {
            self.0.pop_last();
        }
    }
}

impl State {
    fn prune(&mut self, found: &[Shift], most: usize) {
        self.told.prune(found, most);
        self.filed.prune(found, most);
    }

    fn read(path: &Path) -> Self {
        let json = match fs::read(path) {
            Ok(json) => json,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    warn!(path = %path.display(), %error, "cannot read what was told; it is told again");
                }
                return Self::default();
            }
        };
        serde_json::from_slice(&json)
            .or_else(|error| Self::of_before(&json).ok_or(error))
            .unwrap_or_else(|error| {
                warn!(path = %path.display(), %error, "what was told is damaged; it is told again");
                Self::default()
            })
    }

    /// A version before kept what was told and nothing else.
    fn of_before(json: &[u8]) -> Option<Self> {
        let told: Told = serde_json::from_slice(json).ok()?;
        Some(Self { filed: told.clone(), told })
    }

    /// Writes beside the file and renames, so that there is a whole one at any moment.
    fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("json.draft");
        let mut file = File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Alerts {
    /// # Errors
    ///
    /// When nobody is told, or the address cannot be used; exit code 2.
    pub(crate) fn new(settings: AlertSettings, store: Place, data_dir: &Path) -> Result<Self> {
        if settings.file.is_none() && settings.webhook.is_none() {
            return Err(exit::usage(
                "`server.alerts` tells nobody: give it a `file` or a `webhook`",
            ));
        }
        let webhook = settings.webhook.as_ref().map(|url| webhook(url, &settings)).transpose()?;
        let told_in = data_dir.join(TOLD);
        let state = State::read(&told_in);
        Ok(Self { settings, webhook, store, told_in, state })
    }

    /// Looks at the store again and again; ends when it is dropped.
    pub(crate) async fn watch(mut self) {
        let mut ticks = interval(self.settings.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.look().await {
                warn!(error = format!("{error:#}"), "cannot tell of shifts; trying again later");
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        let (store, days) = (self.store.clone(), self.settings.window_days.get());
        let found = spawn_blocking(move || found(&store, days)).await??;
        self.state.prune(&found, MOST_TOLD);
        let mut outcome = Ok(());
        let told = &self.state.told;
        for shift in found.iter().filter(|shift| !told.has(shift)).cloned().collect::<Vec<_>>() {
            // Who cannot be told of one may be told of the next.
            outcome = outcome.and(self.tell(&shift).await);
        }
        outcome
    }

    async fn tell(&mut self, shift: &Shift) -> Result<()> {
        let line = serde_json::to_string(shift)?;
        if let Some(path) = self.settings.file.clone().filter(|_| !self.state.filed.has(shift)) {
            let line = line.clone();
            let shown = path.display().to_string();
            spawn_blocking(move || append(&path, &line))
                .await?
                .with_context(|| format!("cannot write to {shown}"))?;
            self.state.filed.note(shift);
            // Also a restart must not write it again while the address is away.
            self.keep().await?;
        }
        if let Some(client) = &mut self.webhook {
            post(client, line).await?;
        }
        info!(
            who = shift.who,
            target = shift.target,
            before = shift.before,
            now = shift.now,
            "a stance moved"
        );
        self.state.told.note(shift);
        self.keep().await
    }

    async fn keep(&self) -> Result<()> {
        let (state, path) = (self.state.clone(), self.told_in.clone());
        spawn_blocking(move || state.write(&path))
            .await?
            .with_context(|| format!("cannot write to {}", self.told_in.display()))
    }
}

/// The shifts toward every target.
fn found(store: &Place, days: u32) -> Result<Vec<Shift>> {
    let store = store.read()?;
    let mut found = Vec::new();
    for target in figures::targets(&store)? {
        found.extend(shifts::shifts(&store, &Filter::toward(target.id), days)?);
    }
    Ok(found)
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

fn webhook(url: &str, settings: &AlertSettings) -> Result<Client> {
    let endpoint = Endpoint {
        url: url.to_owned(),
        token_file: settings.token_file.clone(),
        ca_file: settings.ca_file.clone(),
        timeout: PATIENCE,
    };
    Client::open(endpoint, env!("CARGO_PKG_VERSION"))
        .map_err(|error| exit::usage(format!("`server.alerts.webhook`: {}", with_causes(&error))))
}

/// Sends a shift, again after pauses. One that the server refuses counts as told: it would refuse
/// it again.
async fn post(client: &mut Client, line: String) -> Result<()> {
    let key = blake3::hash(line.as_bytes()).to_hex()[..32].to_owned();
    let mut pause = RETRY_AFTER;
    for attempt in 1.. {
        match client.post(line.clone().into(), "application/json", &key).await {
            Ok(Verdict::Taken) => break,
            Ok(Verdict::Refused(reason)) => {
                warn!(reason, "a shift is not told: the address refuses it");
                break;
            }
            Err(not_now) if attempt == ATTEMPTS => {
                return Err(not_now.error).context("cannot tell of a shift");
            }
            Err(not_now) => {
                debug!(error = %not_now.error, attempt, "a shift is sent again");
                sleep(pause_of(not_now.retry_after, pause)).await;
                pause *= 2;
            }
        }
    }
    Ok(())
}

/// How long to wait before the next attempt.
///
/// - `asked`: what the address asked for, which may be days;
/// - `own`: what it is else.
fn pause_of(asked: Option<Duration>, own: Duration) -> Duration {
    asked.map_or(own, |asked| asked.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn shift(from: &str, to: &str, now: f64) -> Shift {
        Shift {
            who: "KAZ".into(),
            name: "Kazakhstan".into(),
            target: "RUS".into(),
            before: 0.0,
            now,
            stories_before: 9,
            stories_now: 5,
            errors: 3.0,
            from: from.into(),
            to: to.into(),
        }
    }

    #[test]
    fn a_shift_is_told_once_until_the_window_has_passed_it() {
        let mut told = Told::default();
        told.note(&shift("2024-05-01", "2024-05-30", -0.5));
        let cases = [
            ("the same", shift("2024-05-01", "2024-05-30", -0.5), true),
            ("a day later", shift("2024-05-02", "2024-05-31", -0.6), true),
            ("back", shift("2024-05-02", "2024-05-31", 0.5), false),
            ("another window", shift("2024-06-01", "2024-06-30", -0.5), false),
        ];
        for (case, shift, expected) in cases {
            assert_eq!(told.has(&shift), expected, "{case}");
        }
    }

    #[test]
    fn what_was_told_is_bounded_and_survives_a_crash_at_any_moment() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alerts.json");
        let mut state = State::default();
        for (who, day) in [("KAZ", "2024-03-30"), ("BLR", "2024-05-30"), ("ARM", "2024-06-01")] {
            let shift = Shift { who: who.into(), ..shift("2024-01-01", day, -0.5) };
            state.told.note(&shift);
            state.filed.note(&shift);
        }
        // Only what a window of now can overlap is kept, and nothing is forgotten without one.
        state.prune(&[], 9);
        assert_eq!((state.told.0.len(), state.filed.0.len()), (3, 3));
        state.prune(&[shift("2024-05-02", "2024-05-31", 0.5)], 9);
        assert_eq!((state.told.0.len(), state.filed.0.len()), (2, 2));
        state.prune(&[], 1);
        assert_eq!(state.told.0.keys().collect::<Vec<_>>(), ["RUS away ARM"]);
        assert_eq!(state.filed, state.told);

        state.write(&path).unwrap();
        let before = fs::metadata(&path).unwrap();
        state.write(&path).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(State::read(&path), state);
        assert_ne!(before.ino(), after.ino(), "it was written over in place");
        fs::write(&path, "{\"half").unwrap();
        assert_eq!(State::read(&path), State::default());
        // As a version before wrote it.
        fs::write(&path, serde_json::to_vec(&state.told).unwrap()).unwrap();
        assert_eq!(State::read(&path), state);
    }

    #[test]
    fn an_address_may_ask_for_a_pause_but_not_for_days() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_mins(1));
        let cases = [
            (None, second),
            (Some(Duration::ZERO), Duration::ZERO),
            (Some(30 * second), 30 * second),
            (Some(60 * 24 * 60 * minute), minute),
            (Some(Duration::MAX), minute),
        ];
        for (asked, expected) in cases {
            assert_eq!(pause_of(asked, second), expected, "{asked:?}");
        }
    }

    /// A store in which Kazakhstan turns away in the last month.
    fn turned_away(path: &Path) {
        let record = |round: u32| {
            let score = if round < 15 { 0.6 } else { -0.6 };
            let record = serde_json::json!({
                "version": 1, "id": format!("d{round}"), "status": "complete", "text": "Short.",
                "source": { "name": "wire", "path": null, "id": null }, "title": null,
                "language": null, "author": null, "notes": [], "sentences": [], "entities": [],
                "published": format!("2024-{:02}-{:02}", round / 5 + 1, round % 5 * 4 + 10),
                "sentiment": null, "attributes": {}, "layers": {},
                "stance": [{ "target": { "id": "RUS", "name": "Russia" }, "author": null, "actors": [{
                    "id": "KAZ", "name": "Kazakhstan", "kind": "country", "country": "KAZ",
                    "mentions": 1, "label": "neutral", "degree": "neutral", "score": score,
                    "confidence": 0.9, "evidence": [], "counter_evidence": []
                }] }],
                "provenance": { "standpoint": "0.1.0", "pipeline": "p@1", "stages": [] }
            });
            standpoint_store::Record::read(&record.to_string()).unwrap()
        };
        let mut store = standpoint_store::Store::open(path, false).unwrap();
        for answer in store.put(&(0..20).map(record).collect::<Vec<_>>()).unwrap() {
            answer.unwrap();
        }
    }

    #[tokio::test]
    async fn who_moved_in_the_store_is_a_line_in_the_file_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (store, told) = (folder.path().join("store.db"), folder.path().join("out/told.jsonl"));
        turned_away(&store);
        let settings = serde_json::json!({ "file": told, "window_days": 30 });
        for _ in 0..2 {
            let settings: AlertSettings = serde_json::from_value(settings.clone()).unwrap();
            let mut alerts = Alerts::new(settings, store.clone().into(), folder.path()).unwrap();
            alerts.look().await.unwrap();
            alerts.look().await.unwrap();
        }
        let lines = fs::read_to_string(told).unwrap();
        let line: Shift = serde_json::from_str(&lines).unwrap();
        assert_eq!((line.who.as_str(), line.target.as_str()), ("KAZ", "RUS"));
        assert!(line.before > 0.5 && line.now < -0.5, "{line:?}");
    }

    #[tokio::test]
    async fn a_line_in_the_file_is_not_written_again_after_a_restart_while_the_address_is_away() {
        let folder = tempfile::tempdir().unwrap();
        let (store, file) = (folder.path().join("store.db"), folder.path().join("told.jsonl"));
        turned_away(&store);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/shifts", listener.local_addr().unwrap());
        let settings = serde_json::json!({ "file": file, "webhook": url, "window_days": 30 });
        let start = || {
            let settings: AlertSettings = serde_json::from_value(settings.clone()).unwrap();
            Alerts::new(settings, store.clone().into(), folder.path()).unwrap()
        };
        let away = ["500 No\r\nretry-after: 0"; ATTEMPTS as usize];
        for (answers, is_told) in [(&away[..], false), (&away, false), (&["204 No Content"], true)]
        {
            let mut alerts = start();
            let (asked, looked) = tokio::join!(serve(&listener, answers), alerts.look());
            assert_eq!((looked.is_ok(), asked.len()), (is_told, answers.len()), "{looked:?}");
            let lines = fs::read_to_string(&file).unwrap();
            assert_eq!(lines.lines().count(), 1, "{lines}");
            assert!(asked.iter().all(|asked| asked.ends_with(lines.trim())), "{asked:?}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_called_is_refused() {
        let settings = |url: &str| {
            serde_json::from_value::<AlertSettings>(serde_json::json!({ "webhook": url })).unwrap()
        };
        let of = |url: &str| webhook(url, &settings(url)).map(drop);
        assert!(of("http://127.0.0.1:9000/shifts?a=b").is_ok());
        for text in ["127.0.0.1:9000", "http:///x", "no address", "http://a:b@example.org/"] {
            let error = of(text).unwrap_err().to_string();
            assert!(error.contains("`server.alerts.webhook`"), "{text}: {error}");
        }
    }

    /// Answers one request after the other, each with the next of `answers`; gives what was asked.
    async fn serve(listener: &TcpListener, answers: &[&str]) -> Vec<String> {
        let mut all = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = String::new();
            while !asked.ends_with('}') {
                let mut bytes = [0; 1024];
                let read = stream.read(&mut bytes).await.unwrap();
                assert!(read > 0, "{asked}");
                asked.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
            let reply =
                format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(reply.as_bytes()).await.unwrap();
            all.push(asked);
        }
        all
    }

    #[tokio::test]
    async fn a_shift_is_posted_with_the_token_until_it_is_taken_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let token_file = folder.path().join("token");
        fs::write(&token_file, "secret\n").unwrap();
        for (answers, is_fine) in [
            (&["204 No Content"][..], true),
            (&["503 Later\r\nretry-after: 0", "200 OK"], true),
            (&["422 No"], true),
            (&["500 No\r\nretry-after: 0"; ATTEMPTS as usize], false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}/shifts", listener.local_addr().unwrap());
            let settings = serde_json::json!({ "webhook": url, "token_file": token_file });
            let settings: AlertSettings = serde_json::from_value(settings).unwrap();
            let mut client = webhook(&url, &settings).unwrap();
            let line = "{\"a\":1}".to_owned();
            let (asked, told) = tokio::join!(serve(&listener, answers), post(&mut client, line));
            assert_eq!(told.is_ok(), is_fine, "{answers:?}: {told:?}");
            let mut keys = std::collections::BTreeSet::new();
            for asked in &asked {
                assert!(asked.starts_with("POST /shifts HTTP/1.1\r\n"), "{asked}");
                assert!(asked.contains("authorization: Bearer secret\r\n"), "{asked}");
                keys.insert(asked.lines().find(|line| line.starts_with("idempotency-key")));
            }
            assert_eq!(keys.len(), 1, "the same shift has the same key");
        }
    }
}
