//! The metadata catalog, as ORDS has it: which modules there are, and where each is described.

use serde_json::{Value, json};

use super::{DescribedModule, OPENAPI_MEDIA_TYPE, Services};

/// The list of modules.
pub fn modules(services: &Services) -> Value {
    let url = format!("{}/metadata-catalog/", services.base_url);
    let items: Vec<Value> = services.modules.iter().map(|found| module(services, found)).collect();
    json!({
        "count": items.len(),
        "items": items,
        "hasMore": false,
        "limit": 0,
        "offset": 0,
        "links": [{"rel": "self", "href": url}, {"rel": "first", "href": url}],
    })
}

/// One module.
pub fn module(services: &Services, module: &DescribedModule) -> Value {
    let base = &services.base_url;
    // What lies at the root of a schema is found by its name.
    let place = match module.base_path.as_str() {
        "/" => format!("/{}/", module.name),
        base_path => base_path.to_owned(),
    };
    json!({
        "name": module.name,
        "links": [
            {"rel": "collection", "href": format!("{base}/metadata-catalog/")},
            {"rel": "canonical", "href": format!("{base}/metadata-catalog{place}")},
            {"rel": "describes", "href": format!("{base}{}", module.base_path)},
            {
                "rel": "alternate",
                "href": format!("{base}/open-api-catalog{place}"),
                "mediaType": OPENAPI_MEDIA_TYPE,
            },
        ],
    })
}
