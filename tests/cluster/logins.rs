//! Credentials files and certificates of clients: what a server asks for beyond a name and a
//! password.

use std::fs;
use std::path::Path;

use nkeys::KeyPair;
use serde_json::{Value, json};

use crate::field::Field;
use crate::harness;
use crate::server::{Server, is_installed};

/// Base64 as JWTs have it: of URLs, and without filling.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(*chunk.get(at).unwrap_or(&0)));
        let bits = a << 16 | b << 8 | c;
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

/// A statement about `subject`, signed by `issuer`.
fn jwt(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let claims = json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name,
        "sub": subject.public_key(), "nats": nats,
    });
    let header = json!({ "typ": "JWT", "alg": "ed25519-nkey" });
    let body = [header, claims].map(|part| base64(part.to_string().as_bytes())).join(".");
    let signature = issuer.sign(body.as_bytes()).unwrap();
    format!("{body}.{}", base64(&signature))
}

/// An operator, its account and a user of it, with the system account that a server wants: the
/// server's configuration, and the user's file.
fn credentials() -> (String, String) {
    let (operator, account, user) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let system = KeyPair::new_account();
    let of_operator = jwt(&operator, &operator, "O", &json!({ "type": "operator", "version": 2 }));
    let all = [
        "subs",
        "data",
        "payload",
        "imports",
        "exports",
        "conn",
        "leaf",
        "mem_storage",
        "disk_storage",
        "streams",
        "consumer",
    ];
    let mut limits: Value = all.iter().map(|name| ((*name).to_owned(), json!(-1))).collect();
    limits["wildcards"] = true.into();
    let nats = json!({ "limits": limits, "type": "account", "version": 2 });
    let of_account = jwt(&operator, &account, "A", &nats);
    let nats = json!({ "type": "account", "version": 2 });
    let of_system = jwt(&operator, &system, "S", &nats);
    let nats = json!({ "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
    let of_user = jwt(&account, &user, "U", &nats);
    let seed = user.seed().unwrap();
    let configuration = format!(
        "operator: {of_operator}\nresolver: MEMORY\nsystem_account: {system}\n\
         resolver_preload: {{ {account}: {of_account}, {system}: {of_system} }}",
        account = account.public_key(),
        system = system.public_key(),
    );
    let file = format!(
        "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
         -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    );
    (configuration, file)
}

/// A worker whose results go to a file: the server answers only those who show who they are.
fn lines() -> Value {
    json!({ "sinks": { "results": null, "lines": { "type": "jsonl", "path": "./lines" } } })
}

/// Sends a document through, and asks for the dead letters as whoever runs the worker would.
fn passes(field: &mut Field) {
    field.publish_texts(["One.".to_owned()].iter());
    let number = field.start_with(&["--once"]);
    assert_eq!(field.wait(number), Some(0), "{}", field.log());
    let found = fs::read_to_string(field.at("lines")).unwrap();
    assert!(found.contains("\"text\":\"One.\""), "{found}");
    let pipeline = field.at("worker.yaml");
    let ran = harness::run(&["quarantine", "list", "-c", pipeline.to_str().unwrap()]).expect(0);
    assert_eq!(ran.stdout, "there are no dead letters\n");
}

/// Checks that these settings do not open the door.
fn is_refused(field: &Field, cluster: &Value) {
    field.write_pipeline("refused.yaml", cluster, &lines());
    let (pipeline, input) = (field.at("refused.yaml"), field.at("input"));
    let arguments = ["publish", "-c", pipeline.to_str().unwrap(), input.to_str().unwrap()];
    let ran = harness::run(&arguments).expect(1);
    assert!(ran.stderr.contains("cannot connect to nats://"), "{}", ran.stderr);
}

#[test]
fn a_credentials_file_opens_the_door_and_that_of_a_stranger_does_not() {
    if !is_installed() {
        return;
    }
    let (configuration, file) = credentials();
    let (_, strange) = credentials();
    let start = |folder: &Path, _: &str| {
        fs::write(folder.join("worker.creds"), &file).unwrap();
        fs::write(folder.join("strange.creds"), &strange).unwrap();
        Server::start_in_secret(folder, &configuration)
    };
    let auth = |file: &str| json!({ "auth": { "credentials_file": file } });
    let mut field = Field::on(start, &auth("./worker.creds"), &lines());
    passes(&mut field);
    is_refused(&field, &auth("./strange.creds"));
    is_refused(&field, &json!({}));
}

#[test]
fn a_server_that_asks_for_a_certificate_gets_the_workers() {
    if !is_installed() {
        return;
    }
    let file =
        |name: &str| harness::repository(&format!("crates/standpoint-connectors/tests/tls/{name}"));
    let configuration = format!(
        "tls {{ cert_file: {:?}, key_file: {:?}, ca_file: {:?}, verify: true }}",
        file("server.pem"),
        file("server.key"),
        file("client-ca.pem")
    );
    let start = |folder: &Path, _: &str| Server::start_in_secret(folder, &configuration);
    let mut tls = json!({ "tls": { "required": true, "ca_file": file("ca.pem") } });
    let mut field = Field::on(start, &tls, &lines());
    field.server.host = "localhost";
    let nobody = tls.clone();
    tls["tls"]["certificate_file"] = file("client.pem").into();
    tls["tls"]["key_file"] = file("client.key").into();
    field.write_pipeline("worker.yaml", &tls, &lines());
    passes(&mut field);
    is_refused(&field, &nobody);
}
