//! The types of a statement's parameters.
//!
//! The server infers them. Where it cannot (`:x is null or col = :x`), each occurrence of a bind gets a number of its
//! own, and what is known about one occurrence helps the others.

use gatepost_rest::definition::ParameterType;
use tokio_postgres::types::Type;
use tokio_postgres::{Error, Statement};

use super::resolve::{Desk, Wanted};

/// A statement whose parameters have types.
pub(super) struct Inferred {
    pub(super) text: String,
    pub(super) types: Vec<Type>,
    /// The name of each parameter.
    pub(super) names: Vec<usize>,
    pub(super) statement: Statement,
}

/// Finds the types.
pub(super) async fn infer(desk: &Desk<'_>, wanted: &Wanted) -> Result<Inferred, Error> {
    let by_name: Vec<usize> = (0..wanted.names.len()).collect();
    let text = wanted.numbered(|occurrence| wanted.binds[occurrence].2);
    let declared: Vec<Type> = wanted.declared.iter().map(|kind| numeric_type(*kind)).collect();
    if declared.iter().any(|kind| *kind != Type::UNKNOWN)
        && let Ok(statement) = desk.describe(&text, &declared).await
    {
        return Ok(Inferred { text, types: statement.params().to_vec(), names: by_name, statement });
    }
    let first = match desk.describe(&text, &[]).await {
        Ok(statement) => {
            return Ok(Inferred { text, types: statement.params().to_vec(), names: by_name, statement });
        }
        Err(error) if is_about_types(&error) && !wanted.dictionary => error,
        Err(error) => return Err(error),
    };
    match by_occurrence(desk, wanted, &text, by_name).await? {
        Some(inferred) => Ok(inferred),
        None => Err(first),
    }
}

/// Gives each occurrence a number of its own, and goes back to one for each name where that works.
async fn by_occurrence(
    desk: &Desk<'_>,
    wanted: &Wanted,
    by_name_text: &str,
    by_name: Vec<usize>,
) -> Result<Option<Inferred>, Error> {
    let apart = wanted.numbered(|occurrence| occurrence);
    let mut types = vec![Type::UNKNOWN; wanted.binds.len()];
    let mut as_text = vec![false; wanted.binds.len()];
    let statement = loop {
        match desk.describe(&apart, &types).await {
            Ok(statement) => break Some(statement),
            Err(error) => match undetermined(&error).filter(|number| !as_text[*number]) {
                Some(number) => {
                    types[number] = fallback(wanted.declared[wanted.binds[number].2]);
                    as_text[number] = true;
                }
                None if is_about_types(&error) || is_grouping(&error) => break None,
                None => return Err(error),
            },
        }
    };
    let found = statement.as_ref().map(Statement::params);
    let united = unite(wanted, found, &as_text);
    if let Some(united) = united
        && let Ok(statement) = desk.describe(by_name_text, &united).await
    {
        let types = statement.params().to_vec();
        return Ok(Some(Inferred { text: by_name_text.to_owned(), types, names: by_name, statement }));
    }
    Ok(statement.map(|statement| Inferred {
        text: apart,
        types: statement.params().to_vec(),
        names: wanted.binds.iter().map(|(_, _, name)| *name).collect(),
        statement,
    }))
}

/// One type for each name, if its occurrences agree.
fn unite(wanted: &Wanted, found: Option<&[Type]>, as_text: &[bool]) -> Option<Vec<Type>> {
    let mut united: Vec<Option<Type>> = vec![None; wanted.names.len()];
    for (occurrence, (_, _, name)) in wanted.binds.iter().enumerate() {
        let Some(kind) = found.and_then(|types| types.get(occurrence)).filter(|_| !as_text[occurrence])
        else {
            continue;
        };
        match &united[*name] {
            Some(known) if known != kind => return None,
            _ => united[*name] = Some(kind.clone()),
        }
    }
    let with_fallback = united.into_iter().zip(&wanted.declared);
    Some(with_fallback.map(|(kind, declared)| kind.unwrap_or_else(|| fallback(*declared))).collect())
}

/// Types that help the server where its own guess would be another (`current_date - :days`).
fn numeric_type(declared: Option<ParameterType>) -> Type {
    match declared {
        Some(ParameterType::Int) => Type::INT4,
        Some(ParameterType::Long) => Type::INT8,
        Some(ParameterType::Double) => Type::NUMERIC,
        _ => Type::UNKNOWN,
    }
}

fn fallback(declared: Option<ParameterType>) -> Type {
    match declared {
        Some(ParameterType::Timestamp) => Type::TIMESTAMPTZ,
        Some(ParameterType::Boolean) => Type::BOOL,
        other => match numeric_type(other) {
            Type::UNKNOWN => Type::TEXT,
            kind => kind,
        },
    }
}

pub(super) fn code(error: &Error) -> &str {
    error.code().map_or("", |code| code.code())
}

fn is_about_types(error: &Error) -> bool {
    matches!(code(error), "42P18" | "42P08" | "42883" | "42804" | "42725")
}

fn is_grouping(error: &Error) -> bool {
    code(error) == "42803"
}

/// The parameter, from 0, whose type the server could not find out.
fn undetermined(error: &Error) -> Option<usize> {
    if code(error) != "42P18" {
        return None;
    }
    let message = error.as_db_error()?.message();
    let digits = message.split_once('$')?.1;
    let end = digits.find(|character: char| !character.is_ascii_digit()).unwrap_or(digits.len());
    digits[..end].parse::<usize>().ok()?.checked_sub(1)
}
