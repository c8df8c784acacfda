//! The tutorial's walk, from a block pasted as it stands to rows behind a lock.

use reqwest::StatusCode;

use crate::client::{Credentials, get, http};
use crate::folder::Folder;
use crate::server::TestServer;

/// The block of the tutorial with names of our own, pasted as it is printed there: no slash, the query behind `END;`.
const BLOCK: &str = "BEGIN
OAUTH.create_client (
p_name => 'CLIENT_NAME'
,p_grant_type => 'client_credentials'
,p_owner => 'OWNER_NAME'
,p_description => 'A description'
,p_support_email => 'example@email.com'
,p_privilege_names => 'hr.read'
);
OAUTH.grant_client_role (
p_client_name => 'CLIENT_NAME'
,p_role_name => 'hr_reader'
);
COMMIT;
END;SELECT * FROM user_ords_clients";

#[tokio::test]
async fn the_block_pasted_as_it_stands_makes_a_client_that_gets_in() {
    let folder = Folder::new("walk");
    let server = TestServer::demo(&folder);
    let protected = server.known("protected_url");

    let refused = http().get(&protected).header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(refused.text().await.unwrap().contains("<title>401 Unauthorized</title>"));

    let rows = server.sql("hr", BLOCK);
    let row = rows.iter().find(|row| row["name"] == "CLIENT_NAME").unwrap();
    let text = |column: &str| row[column].as_str().unwrap().to_owned();
    let client = Credentials { id: text("client_id"), secret: text("client_secret") };
    let (status, answer) = client.request(&server, "hr", &[]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["scope"], "hr.read");

    let token = answer["access_token"].as_str().unwrap();
    let allowed = get(&protected, Some(token)).await;
    assert_eq!(allowed.status(), StatusCode::OK);
    let page: serde_json::Value = allowed.json().await.unwrap();
    assert_eq!(page["count"], 14);

    let limited = Credentials::limited(&server).token(&server, "hr").await;
    assert_eq!(get(&protected, Some(&limited)).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(get(&server.known("public_url"), None).await.status(), StatusCode::OK);
}
