<?php
// Receives kurir's webhooks: checks that a call is kurir's, then does something with the event.
//
//   KURIR_WEBHOOK_SECRET='whsec_…' php -S 127.0.0.1:9000 index.php
//
// The secret is shown when the webhook is made (POST /v1/webhooks) and when it is rotated.
declare(strict_types=1);

const TOLERANCE = 300; // seconds that a call may be old: what somebody recorded is not played back later

/** Whether the headers prove that whoever knows the secret sent this body, as Standard Webhooks say. */
function verify(string $secret, string $body, string $id, string $timestamp, string $signatures): bool
{
    if ($id === '' || !ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE) {
        return false;
    }
    $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
    if ($key === false || $key === '') {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", $key, true));
    foreach (explode(' ', $signatures) as $signature) { // two while a secret is being rotated
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

$secret = getenv('KURIR_WEBHOOK_SECRET') ?: '';
$body = (string) file_get_contents('php://input'); // the bytes as they came: JSON that was read and written again has another signature
$id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
if (!verify($secret, $body, $id, $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '')) {
    http_response_code(401);
    echo "bad signature\n";
    return;
}
$event = json_decode($body, true, 64, JSON_THROW_ON_ERROR);

// The same event can come more than once, always with the same id. A table with this id as its primary key, written in
// the transaction of what the event causes, makes a repeat harmless.
if ($event['type'] === 'message') {
    error_log(sprintf('%s from %s: %s', $id, $event['data']['phone'] ?? $event['data']['chat'], $event['data']['body']));
}

// Answer soon (kurir waits 10 s) and do long work later. 2xx: taken. Anything else: kurir comes again.
http_response_code(204);
