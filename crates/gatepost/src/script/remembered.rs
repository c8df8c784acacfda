//! A script as a history may keep it: without the secrets that are given to calls (design decision 10).

use gatepost_oauth::looks_like_client_secret;
use gatepost_plsql::{WrittenArgument, WrittenCall, WrittenCalls, WrittenValue};

use super::packages::{all, find};
use super::signature::Parameter;

/// What stands in place of a secret.
const MASK: &str = "'********'";

/// The script with a mask in place of each secret. Nothing when that cannot be said: where a secret is not written as a
/// string of its own, where a string could hold such a call, and where the text cannot be read.
pub fn without_secrets(script: &str) -> Option<String> {
    let written = WrittenCalls::read(script).ok()?;
    let mut masked: Vec<std::ops::Range<usize>> = Vec::new();
    for call in &written.calls {
        for argument in secrets_of(call) {
            match argument.kind {
                WrittenValue::String => masked.push(argument.range.clone()),
                // The arguments of that call are looked at for themselves.
                WrittenValue::Null | WrittenValue::Call => {}
                WrittenValue::Other => return None,
            }
        }
    }
    for (range, value) in &written.strings {
        if looks_like_client_secret(value) {
            masked.push(range.clone());
        } else if !masked.contains(range) && may_hold_a_call(value) {
            return None;
        }
    }
    masked.sort_by_key(|range| range.start);
    masked.dedup();
    let (mut kept, mut end) = (String::with_capacity(script.len()), 0);
    for range in masked {
        kept.push_str(&script[end..range.start]);
        kept.push_str(MASK);
        end = range.end;
    }
    kept.push_str(&script[end..]);
    Some(kept)
}

/// The arguments for parameters that take a secret. One whose parameter is not known counts.
fn secrets_of(call: &WrittenCall) -> Vec<&WrittenArgument> {
    let Ok((package, signature)) = find(&call.package, &call.name) else { return Vec::new() };
    let forms = || signature.forms.iter();
    if !forms().flat_map(|form| form.iter()).any(is_secret) {
        return Vec::new();
    }
    let shift = usize::from(package.admin);
    let at = |index: usize| {
        let place = index.checked_sub(shift);
        forms().any(|form| place.and_then(|place| form.get(place)).is_some_and(is_secret))
    };
    let takes_a_secret = |(index, argument): &(usize, &WrittenArgument)| match &argument.name {
        Some(name) => forms().flat_map(|form| form.iter()).any(|it| it.is_named(name) && is_secret(it)),
        None => at(*index),
    };
    call.arguments.iter().enumerate().filter(takes_a_secret).map(|(_, argument)| argument).collect()
}

fn is_secret(parameter: &Parameter) -> bool {
    parameter.name.ends_with("secret")
}

/// Whether a string could be run as a script that gives a secret to somebody.
fn may_hold_a_call(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let takes_one = all().filter(|signature| signature.forms.iter().any(|form| form.iter().any(is_secret)));
    takes_one.into_iter().any(|signature| text.contains(signature.name) && text.contains('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_by_place_and_by_name_in_any_notation() {
        for (script, kept) in [
            (
                "begin gatepost.set_credential_secret('api', 'hunter2 hunter2'); end;",
                "begin gatepost.set_credential_secret('api', '********'); end;",
            ),
            (
                "begin OAUTH.\"CREATE_CLIENT\"('a'); Gatepost . Define_Credential(p_secret => q'[it's one]', p_name => 'x'); end;",
                "begin OAUTH.\"CREATE_CLIENT\"('a'); Gatepost . Define_Credential(p_secret => '********', p_name => 'x'); end;",
            ),
            (
                "begin ords_security.register_client(p_client_secret => ords_types.oauth_client_secret('chosen by me')); end;",
                "begin ords_security.register_client(p_client_secret => ords_types.oauth_client_secret('********')); end;",
            ),
            ("select 'p_secret' from emp -- 'x'", "select 'p_secret' from emp -- 'x'"),
            (
                "begin gatepost.define_credential('a', 'basic', p_secret_env => 'NAME'); end;",
                "begin gatepost.define_credential('a', 'basic', p_secret_env => 'NAME'); end;",
            ),
            (
                "begin gatepost.set_credential_secret('api', null); end;",
                "begin gatepost.set_credential_secret('api', null); end;",
            ),
        ] {
            assert_eq!(without_secrets(script).as_deref(), Some(kept));
        }
        let made = gatepost_oauth::new_client_secret([7; 32]);
        let made = secrecy::ExposeSecret::expose_secret(&made);
        assert_eq!(without_secrets(&format!("select '{made}'")).as_deref(), Some("select '********'"));
    }

    #[test]
    fn what_cannot_be_masked_is_not_kept() {
        for script in [
            "declare s varchar2(90) := 'hunter2'; begin gatepost.set_credential_secret('api', s); end;",
            "begin gatepost.set_credential_secret('api', 'hunt' || 'er2'); end;",
            "begin execute immediate 'begin gatepost.set_credential_secret(''api'', ''hunter2''); end;'; end;",
            "begin oauth_admin.update_client_secret('hr', 'app', x); end;",
            "begin gatepost.set_credential_secret('api', 'hunter2",
        ] {
            assert_eq!(without_secrets(script), None, "{script}");
        }
    }
}
