//! Who may: a browser logs in once by the address that the daemon prints; programs show a token.
//!
//! The printed address holds a key in its fragment, which no server and no log ever sees; the page
//! behind it exchanges the key for a cookie that scripts cannot read and other sites cannot send.
//! A cookie is not kept anywhere: it carries the time when it ends and a mark that only this
//! daemon's secret can make, so it outlives a restart.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use http::{HeaderMap, Method};

/// The header that a page's own script sends with everything that changes something. Forms and
/// other sites cannot send it without being asked first, which nothing here allows.
pub const HEADER: &str = "x-standpoint";

/// How long a cookie is good for.
pub const LASTS: Duration = Duration::from_hours(30 * 24);

/// What only this daemon knows.
pub struct Keys {
    secret: [u8; 32],
    /// The hash of the token that programs show.
    token: blake3::Hash,
    /// The key of the printed address, as text.
    login: String,
    /// The cookie's name; two daemons on one machine share their cookies otherwise.
    cookie: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visitor {
    /// Whoever could open the control socket.
    Owner,
    /// A program with the token.
    Program,
    /// A browser that has logged in, and a page of ours in it.
    Browser,
    /// A browser that has logged in, asked by something that is no page of ours: it may look.
    Onlooker,
    /// Nobody that is known.
    Nobody,
}

impl Visitor {
    /// Whether it may see what documents say.
    #[must_use]
    pub fn may_read(self) -> bool {
        self != Self::Nobody
    }

    /// Whether it may change something.
    #[must_use]
    pub fn may_write(self) -> bool {
        matches!(self, Self::Owner | Self::Program | Self::Browser)
    }
}

impl Keys {
    /// Keys from a secret of 32 random bytes that stays the same over restarts, and others for this
    /// start alone.
    ///
    /// - `token`: what programs show;
    /// - `port`: where the server listens.
    #[must_use]
    pub fn new(secret: [u8; 32], once: [u8; 32], token: &str, port: u16) -> Self {
        let login = blake3::keyed_hash(&once, b"login").to_hex()[..40].to_owned();
        Self {
            secret,
            token: blake3::hash(token.as_bytes()),
            login,
            cookie: format!("standpoint-{port}"),
        }
    }

    /// The key of the address that is printed.
    #[must_use]
    pub fn login(&self) -> &str {
        &self.login
    }

    /// Whether this is the key of the printed address. Hashes compare in constant time.
    #[must_use]
    pub fn opens(&self, shown: &str) -> bool {
        blake3::hash(shown.trim().as_bytes()) == blake3::hash(self.login.as_bytes())
    }

    /// A `Set-Cookie` that logs a browser in.
    #[must_use]
    pub fn grant(&self, now: SystemTime) -> String {
        let ends = since_1970(now) + LASTS.as_secs();
        let (name, mark, age) = (&self.cookie, self.mark(ends), LASTS.as_secs());
        format!("{name}={ends}.{mark}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict")
    }

    /// A `Set-Cookie` that logs a browser out.
    #[must_use]
    pub fn revoke(&self) -> String {
        format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict", self.cookie)
    }

    fn mark(&self, ends: u64) -> String {
        blake3::keyed_hash(&self.secret, &ends.to_le_bytes()).to_hex().to_string()
    }

    fn is_ours(&self, cookie: &str, now: SystemTime) -> bool {
        let Some((ends, mark)) = cookie.split_once('.') else { return false };
        let Ok(ends) = ends.parse::<u64>() else { return false };
        let is_marked = blake3::Hash::from_hex(mark)
            .is_ok_and(|mark| mark == blake3::keyed_hash(&self.secret, &ends.to_le_bytes()));
        is_marked && since_1970(now) < ends
    }

    /// What the forms of a page carry, so that nobody else's form can pass for one: it is made of
    /// the browser's own cookie, which no other site sees. `None` for whoever has not logged in.
    #[must_use]
    pub fn form_mark(&self, headers: &HeaderMap, now: SystemTime) -> Option<String> {
        let cookie = self.cookie_of(headers, now)?;
        let made_of = [b"form ", cookie.as_bytes()].concat();
        Some(blake3::keyed_hash(&self.secret, &made_of).to_hex()[..32].to_owned())
    }

    /// Whether a form with this mark was sent by a page of ours, in a browser that has logged in.
    #[must_use]
    pub fn is_own_form(&self, headers: &HeaderMap, mark: &str, now: SystemTime) -> bool {
        let expected = self.form_mark(headers, now);
        let is_marked = expected.is_some_and(|expected| {
            blake3::hash(expected.as_bytes()) == blake3::hash(mark.as_bytes())
        });
        is_marked && is_own_origin(headers)
    }

    /// The cookie of a browser that has logged in.
    fn cookie_of<'h>(&self, headers: &'h HeaderMap, now: SystemTime) -> Option<&'h str> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        let found = pairs.find(|(name, value)| *name == self.cookie && self.is_ours(value, now));
        found.map(|(_, value)| value)
    }

    /// Who sent a request with these headers.
    #[must_use]
    pub fn visitor(&self, headers: &HeaderMap, now: SystemTime) -> Visitor {
        let bearer = text(headers, AUTHORIZATION).and_then(|value| value.split_once(' '));
        if let Some((scheme, token)) = bearer
            && scheme.eq_ignore_ascii_case("bearer")
        {
            let is_known = blake3::hash(token.trim().as_bytes()) == self.token;
            return if is_known { Visitor::Program } else { Visitor::Nobody };
        }
        match self.cookie_of(headers, now).is_some() {
            true if is_own_page(headers) => Visitor::Browser,
            true => Visitor::Onlooker,
            false => Visitor::Nobody,
        }
    }
}

/// Whether a page of this very server asks: its origin is the host that it asks, and it sends what
/// no form can.
#[must_use]
pub fn is_own_page(headers: &HeaderMap) -> bool {
    is_own_origin(headers) && headers.contains_key(HEADER)
}

/// Whether the request comes from a page of this server, as far as the browser says.
#[must_use]
pub fn is_own_origin(headers: &HeaderMap) -> bool {
    let origin = text(headers, ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.zip(text(headers, HOST)).is_some_and(|((_, origin), host)| origin == host)
}

/// Whether a method changes nothing.
#[must_use]
pub fn is_reading(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

fn text(headers: &HeaderMap, name: http::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(secret: u8) -> Keys {
        Keys::new([secret; 32], [9; 32], "a-token-of-this-test", 8686)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_request_is_whose_keys_it_shows() {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cookie = keys(1).grant(now).split(';').next().unwrap().to_owned();
        let stranger = keys(2).grant(now).split(';').next().unwrap().to_owned();
        let old = keys(1).grant(now - LASTS).split(';').next().unwrap().to_owned();
        let own = [("host", "localhost:8686"), ("origin", "http://localhost:8686"), (HEADER, "1")];
        let with = |more: &[(&'static str, &str)]| headers(&[&own[..], more].concat());
        let cases = [
            ("nothing", headers(&[]), Visitor::Nobody),
            (
                "the token",
                headers(&[("authorization", "Bearer a-token-of-this-test")]),
                Visitor::Program,
            ),
            (
                "another token",
                headers(&[("authorization", "Bearer a-token-of-that-test")]),
                Visitor::Nobody,
            ),
            (
                "a password",
                headers(&[("authorization", "Basic a-token-of-this-test")]),
                Visitor::Nobody,
            ),
            ("the cookie and a page of ours", with(&[("cookie", &cookie)]), Visitor::Browser),
            (
                "the cookie among others",
                with(&[("cookie", &format!("a=b; {cookie}"))]),
                Visitor::Browser,
            ),
            ("a cookie of another daemon", with(&[("cookie", &stranger)]), Visitor::Nobody),
            ("a cookie that has ended", with(&[("cookie", &old)]), Visitor::Nobody),
            (
                "a cookie that somebody lengthened",
                with(&[("cookie", &cookie.replace("=17", "=18"))]),
                Visitor::Nobody,
            ),
            (
                "the cookie alone",
                headers(&[("cookie", &cookie), ("host", "localhost:8686")]),
                Visitor::Onlooker,
            ),
            (
                "a form of another site",
                headers(&[
                    ("cookie", &cookie),
                    ("host", "localhost:8686"),
                    ("origin", "https://evil.example"),
                    (HEADER, "1"),
                ]),
                Visitor::Onlooker,
            ),
            (
                "a form of ours, without the header",
                headers(&[("cookie", &cookie), own[0], own[1]]),
                Visitor::Onlooker,
            ),
        ];
        for (case, headers, expected) in cases {
            assert_eq!(keys(1).visitor(&headers, now), expected, "{case}");
        }
        assert!(keys(1).opens(keys(3).login()), "the login is of this start, not of the secret");
        assert!(!keys(1).opens("") && !keys(1).opens("a-token-of-this-test"));
    }
}
