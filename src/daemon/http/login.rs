//! Who may see the pages: a user with a password, or a token.
//!
//! It owns: judging one request's `Authorization`. It does not own: which pages need it (`http`).

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::HttpLogin;

/// Digests of what a request must show: comparing them tells nothing by the time that it takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    basic: Option<blake3::Hash>,
    bearer: Option<blake3::Hash>,
}

impl Guard {
    pub(super) fn new(login: &HttpLogin) -> Self {
        let basic = login.basic.as_ref().map(|(username, password)| {
            blake3::hash(format!("{username}:{}", password.reveal()).as_bytes())
        });
        let bearer = login.bearer.as_ref().map(|token| blake3::hash(token.reveal().as_bytes()));
        Self { basic, bearer }
    }

    /// Returns whether a request with these headers may see everything.
    pub(super) fn lets_in(&self, headers: &HeaderMap) -> bool {
        if self.basic.is_none() && self.bearer.is_none() {
            return true;
        }
        let Some((scheme, shown)) = headers.get(AUTHORIZATION).and_then(parse) else {
            return false;
        };
        if scheme.eq_ignore_ascii_case("basic") {
            let pair = STANDARD.decode(shown).ok().map(|pair| blake3::hash(&pair));
            return pair.is_some() && pair == self.basic;
        }
        scheme.eq_ignore_ascii_case("bearer")
            && self.bearer.is_some_and(|token| token == blake3::hash(shown.as_bytes()))
    }

    /// Returns how to log in, as browsers and clients read it.
    pub(super) fn challenge(&self) -> HeaderValue {
        match self.basic {
            Some(_) => HeaderValue::from_static("Basic realm=\"sluice\", charset=\"UTF-8\""),
            None => HeaderValue::from_static("Bearer realm=\"sluice\""),
        }
    }
}

fn parse(header: &HeaderValue) -> Option<(&str, &str)> {
    let (scheme, shown) = header.to_str().ok()?.split_once(' ')?;
    Some((scheme, shown.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn lets_in(guard: &Guard, header: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(header).unwrap());
        guard.lets_in(&headers)
    }

    #[test]
    fn without_a_login_everybody_is_let_in() {
        assert!(Guard::new(&HttpLogin::default()).lets_in(&HeaderMap::new()));
    }

    #[test]
    fn what_is_asked_for_must_be_shown_whole() {
        let secret = |text: &str| Secret::new(text.to_owned());
        let basic = Some(("ann".to_owned(), secret("a:b")));
        let both = Guard::new(&HttpLogin { basic: basic.clone(), bearer: Some(secret("t0k")) });
        assert!(lets_in(&both, &format!("Basic {}", STANDARD.encode("ann:a:b"))));
        assert!(lets_in(&both, "bearer  t0k"));
        assert!(!both.lets_in(&HeaderMap::new()));
        let basic = Guard::new(&HttpLogin { basic, bearer: None });
        let wrong = [
            format!("Basic {}", STANDARD.encode("ann:a:")),
            format!("Basic {}", STANDARD.encode("ann")),
            "Basic ann:a:b".to_owned(),
            "Basic !".to_owned(),
            "Basic".to_owned(),
            "Bearer t0k".to_owned(),
            "Bearer ".to_owned(),
            "Digest t0k".to_owned(),
        ];
        for header in wrong {
            assert!(!lets_in(&basic, &header), "{header}");
        }
        assert!(basic.challenge().to_str().unwrap().starts_with("Basic "));
    }
}
