//! What a stage says of itself, and how it takes its settings.

use serde_json::{Map, Value, json};

use super::{Subject, Verdict, is_panic};
use crate::contract::ASKED;
use crate::error::StageErrorKind;

pub(super) fn manifest(subject: &Subject<'_>) -> Result<Verdict, String> {
    let is_name = subject.name.starts_with(|c: char| c.is_ascii_lowercase())
        && subject.name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    if !is_name {
        return Err(format!(
            "its name {:?} is not made of lower-case letters, digits and `-`",
            subject.name
        ));
    }
    let own: Vec<_> = subject.writes.iter().filter(|name| name.starts_with(ASKED)).collect();
    if let Some(name) = own.first() {
        // The standard stages do, to answer what `evaluate` asks and to hand vectors on.
        return Ok(Verdict::Warned(format!(
            "it writes `{name}`: names that begin so are the program's, and results leave them out"
        )));
    }
    if subject.writes.is_empty() {
        return Ok(Verdict::Warned("it writes nothing, so nobody will see what it does".into()));
    }
    match &subject.settings_schema {
        None => Ok(Verdict::Warned(
            "it does not say what its settings are, so that no mistake in them is found".into(),
        )),
        Some(Value::Object(schema)) => {
            let undescribed: Vec<&str> = schema
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(_, property)| property.get("description").is_none())
                .map(|(key, _)| key.as_str())
                .collect();
            if undescribed.is_empty() {
                Ok(Verdict::Passed)
            } else {
                let keys = undescribed.join("`, `");
                Ok(Verdict::Warned(format!("its settings `{keys}` have no description")))
            }
        }
        Some(other) => Err(format!("the schema of its settings is no object but {other}")),
    }
}

/// The properties of the settings' schema.
fn properties<'s>(subject: &'s Subject<'_>) -> Option<&'s Map<String, Value>> {
    let schema = subject.settings_schema.as_ref()?;
    schema.get("properties")?.as_object().filter(|properties| !properties.is_empty())
}

pub(super) fn defaults(subject: &Subject<'_>) -> Result<Verdict, String> {
    subject.stage()?;
    let required =
        subject.settings_schema.as_ref().and_then(|schema| schema.get("required")?.as_array());
    if required.is_none_or(Vec::is_empty) {
        (subject.make)(&json!({})).map_err(|error| format!("it does not start: {error}"))?;
    }
    for (key, property) in properties(subject).into_iter().flatten() {
        let Some(default) = property.get("default").filter(|default| !default.is_null()) else {
            continue;
        };
        let mut settings = subject.settings.clone();
        settings[key] = default.clone();
        (subject.make)(&settings)
            .map_err(|error| format!("it refuses the default of `{key}`, {default}: {error}"))?;
    }
    Ok(Verdict::Passed)
}

pub(super) fn wrong_settings(subject: &Subject<'_>) -> Result<Verdict, String> {
    let mut taken = Vec::new();
    let mut unnamed = Vec::new();
    let mut wrong = vec![("no_such_setting".to_owned(), json!(1))];
    for (key, property) in properties(subject).into_iter().flatten() {
        // A value of a type that the property does not allow.
        let types = property.get("type");
        let allows = |name: &str| match types {
            Some(Value::String(only)) => only == name,
            Some(Value::Array(several)) => several.iter().any(|one| one == name),
            _ => true,
        };
        let values = [("object", json!({"no": "such"})), ("boolean", json!(true))];
        if let Some((_, value)) = values.into_iter().find(|(name, _)| !allows(name)) {
            wrong.push((key.clone(), value));
        }
    }
    for (key, value) in wrong {
        let mut settings = subject.settings.clone();
        settings[&key] = value.clone();
        match (subject.make)(&settings) {
            Ok(_) => taken.push(format!("`{key}: {value}`")),
            Err(error) if error.kind() == StageErrorKind::Stage && is_panic(&error) => {
                return Err(format!("`{key}: {value}` makes it panic: {error}"));
            }
            // That of serde names the type, which helps as well.
            Err(error)
                if !error.message().contains(&key) && !error.message().contains("expected") =>
            {
                unnamed.push(key);
            }
            Err(_) => {}
        }
    }
    if !taken.is_empty() {
        // A host checks settings against the schema before they come here.
        return Ok(Verdict::Warned(format!("it takes {}", taken.join(", "))));
    }
    if !unnamed.is_empty() {
        let keys = unnamed.join("`, `");
        return Ok(Verdict::Warned(format!("its refusal of `{keys}` does not name the setting")));
    }
    Ok(Verdict::Passed)
}
