use serde_json::json;

use super::*;
use crate::datum::Datum;

fn source(text: &str) -> RestSource {
    RestSource::from_toml("s", &format!("server = \"s\"\n{text}")).unwrap()
}

fn read(source: &RestSource, given: &[(&str, &str)]) -> Values {
    let parameters: Vec<&Parameter> = source.parameters.iter().collect();
    Values::read(&parameters, given.iter().copied()).unwrap()
}

fn request(source: &RestSource, given: &[(&str, &str)]) -> Result<ApiRequest, SourceError> {
    let parts = fetch_request(source, &read(source, given))?;
    compose("https://h/ords/hr", &parts, &PageRequest::default())
}

#[test]
fn values_that_break_out_are_refused() {
    let source = source(
        "path = \"d/{dept}/e\"\n[[param]]\nname = \"dept\"\nin = \"path\"\n\
         [[param]]\nname = \"tenant\"\nin = \"header\"\nsend = \"X-Tenant\"\n",
    );
    let parameters: Vec<&Parameter> = source.parameters.iter().collect();
    let code = |given: &[(&str, &str)]| {
        let values = Values::read(&parameters, given.iter().copied());
        let parts = values.and_then(|values| fetch_request(&source, &values));
        let request = parts.and_then(|parts| compose("https://h/ords/hr", &parts, &PageRequest::default()));
        request.map_err(|error| error.code)
    };
    assert_eq!(code(&[("dept", ".."), ("tenant", "a")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("dept", ""), ("tenant", "a")]), Err(Code::ParameterInvalid));
    assert_eq!(code(&[("tenant", "a")]), Err(Code::ParameterMissing));
    for tenant in ["a\r\nX-Admin: 1", "a\n", "a\0", "\u{e9}"] {
        assert_eq!(code(&[("dept", "10"), ("tenant", tenant)]), Err(Code::ParameterInvalid), "{tenant:?}");
    }
    let request = code(&[("dept", "a/b?c#d"), ("tenant", "blue")]).unwrap();
    assert_eq!(request.url.as_str(), "https://h/ords/hr/d/a%2Fb%3Fc%23d/e");
    assert_eq!(request.headers["x-tenant"], "blue");
    assert_eq!(request.headers["accept"], "application/json");
}

#[test]
fn query_parameters_are_templates_defaults_and_omissions() {
    let source = source(
        "path = \"employees/\"\n\
         [[param]]\nname = \"dept\"\nsend = \"q\"\ntemplate = '{\"deptno\":{\"$eq\":${dept}}}'\ntype = \"integer\"\n\
         omit_when_null = true\n\
         [[param]]\nname = \"lang\"\ndefault = \"en\"\n\
         [[param]]\nname = \"fixed\"\nsend = \"v\"\nvalue = 2\ntype = \"integer\"\n\
         [[param]]\nname = \"empty\"\n",
    );
    assert_eq!(
        request(&source, &[("dept", "10")]).unwrap().url.as_str(),
        "https://h/ords/hr/employees/?q=%7B%22deptno%22%3A%7B%22%24eq%22%3A10%7D%7D&lang=en&v=2&empty="
    );
    assert_eq!(
        request(&source, &[("lang", "d&e=f")]).unwrap().url.as_str(),
        "https://h/ords/hr/employees/?lang=d%26e%3Df&v=2&empty="
    );
}

#[test]
fn bodies_take_parameters_and_pages() {
    let source = source(
        "method = \"POST\"\nbody = { filter = { name = \"${name}\", dept = \"${dept}\" }, all = true }\n\
         [[param]]\nname = \"name\"\nin = \"body\"\nomit_when_null = true\n\
         [[param]]\nname = \"dept\"\nin = \"body\"\ntype = \"integer\"\n\
         [[param]]\nname = \"sort_by\"\nin = \"body\"\nsend = \"/order/by\"\n\
         [[param]]\nname = \"range\"\nin = \"body\"\ntype = \"integer\"\ntemplate = '{\"ge\":${range}}'\n",
    );
    let given = read(&source, &[("dept", "10"), ("sort_by", "a\"b"), ("range", "5")]);
    let parts = fetch_request(&source, &given).unwrap();
    let mut page = PageRequest::default();
    page.body.push(("/page/from".into(), json!(50)));
    let request = compose("https://h", &parts, &page).unwrap();
    assert_eq!(
        request.body.as_deref(),
        Some(
            &br#"{"all":true,"filter":{"dept":10},"order":{"by":"a\"b"},"page":{"from":50},"range":{"ge":5}}"#[..]
        )
    );
    assert_eq!(
        (request.method, &request.headers["content-type"]),
        (Method::POST, &HeaderValue::from_static("application/json"))
    );
}

#[test]
fn an_operation_takes_the_row_and_the_sources_path_and_headers() {
    let source = source(
        "path = \"d/{dept}/e/\"\n\
         [[param]]\nname = \"dept\"\nin = \"path\"\n\
         [[param]]\nname = \"tenant\"\nin = \"header\"\nsend = \"X-Tenant\"\nvalue = \"blue\"\n\
         [[param]]\nname = \"only_rows\"\n\
         [rows]\ncolumns = [{ name = \"empno\", type = \"integer\" }, { name = \"ename\" }]\n\
         [op.update]\npath = \"{empno}\"\nbody = { ename = \"${ename}\" }\n\
         [op.delete]\npath = \"{empno}\"\n",
    );
    let update = source.operations.update.as_ref().unwrap();
    let parameters = operation_parameters(&source, update);
    let mut values = Values::read(&parameters, [("dept", "10")]).unwrap();
    values.add_row([("empno".to_owned(), Datum::Integer("7839".into())), ("ename".to_owned(), Datum::Null)]);
    let parts = operation_request(&source, update, &values).unwrap();
    let request = compose("https://h", &parts, &PageRequest::default()).unwrap();
    assert_eq!((request.method, request.url.as_str()), (Method::PUT, "https://h/d/10/e/7839"));
    assert_eq!(request.headers["x-tenant"], "blue");
    assert_eq!(request.body.as_deref(), Some(&br#"{"ename":null}"#[..]));
    let delete = source.operations.delete.as_ref().unwrap();
    let nothing = Values::read(&parameters, [("dept", "10")]).unwrap();
    assert_eq!(operation_request(&source, delete, &nothing).unwrap_err().code, Code::ParameterMissing);
    assert!(operation_request(&source, delete, &values).unwrap().body.is_none());
}

#[test]
fn a_link_replaces_path_and_query_and_keeps_the_rest() {
    let source = source("path = \"e\"\n[[param]]\nname = \"a\"\nvalue = \"1\"\n");
    let parts = fetch_request(&source, &read(&source, &[])).unwrap();
    let url = Url::parse("https://h/x?page=2").unwrap();
    let page = PageRequest { url: Some(url.clone()), ..PageRequest::default() };
    let request = compose("https://h", &parts, &page).unwrap();
    assert_eq!(
        (&request.url, &request.headers["accept"]),
        (&url, &HeaderValue::from_static("application/json"))
    );
    let header =
        PageRequest { headers: vec![("Authorization".into(), "x".into())], ..PageRequest::default() };
    assert_eq!(compose("https://h", &parts, &header).unwrap_err().code, Code::DefinitionBroken);
}

#[test]
fn a_credential_in_the_query_is_there_once() {
    let mut request = ApiRequest {
        method: Method::GET,
        url: Url::parse("https://h/x?api_key=old&a=1%262&api_key=older").unwrap(),
        headers: HeaderMap::new(),
        body: None,
    };
    request.sign(&Signature::Query("api_key".into(), "n&w".into()));
    assert_eq!(request.url.as_str(), "https://h/x?a=1%262&api_key=n%26w");
    let value = HeaderValue::from_static("Bearer t");
    request.sign(&Signature::Header(http::header::AUTHORIZATION, value));
    assert_eq!(request.headers["authorization"], "Bearer t");
}
