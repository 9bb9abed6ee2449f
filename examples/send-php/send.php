<?php
// Sends a text and a file through kurir. Plain PHP 8: no curl extension, no packages.
//
//     KURIR_URL=http://127.0.0.1:8080 KURIR_KEY=kurir_live_… php send.php 081234567890 'Halo!' faktur.pdf order-1042
//
// The last word names this sending, an order number for example: run again with the same, nothing is sent twice.

declare(strict_types=1);

const TIMEOUT = 60; // seconds

/** What kurir refused: the code is for programs, the message for people. */
final class KurirError extends RuntimeException
{
    public function __construct(public readonly string $kurirCode, string $message)
    {
        parent::__construct("$kurirCode: $message");
    }
}

/** Gives the id of the message that kurir accepted. */
function post(string $path, string $idempotencyKey, string $contentType, string $body): string
{
    $context = stream_context_create(['http' => [
        'method' => 'POST',
        'header' => [
            'Authorization: Bearer ' . getenv('KURIR_KEY'),
            'Idempotency-Key: ' . $idempotencyKey,
            'Content-Type: ' . $contentType,
        ],
        'content' => $body,
        'timeout' => TIMEOUT,
        'follow_location' => 0,  // the key goes to kurir only
        'ignore_errors' => true, // the answer to a refused request says why
    ]]);
    $answer = @file_get_contents(rtrim(getenv('KURIR_URL'), '/') . $path, false, $context);
    if ($answer === false) {
        throw new KurirError('no answer', error_get_last()['message'] ?? '');
    }
    $envelope = json_decode($answer, true);
    if (!is_array($envelope) || ($envelope['status'] ?? null) !== true) {
        // A proxy in between answers in its own words.
        throw new KurirError($envelope['code'] ?? $http_response_header[0], $envelope['message'] ?? '');
    }
    return $envelope['id'];
}

function sendText(string $phone, string $text, string $idempotencyKey): string
{
    $body = json_encode(['phone' => $phone, 'body' => $text], JSON_THROW_ON_ERROR);
    return post('/wa/send', $idempotencyKey, 'application/json', $body);
}

/** Sends the file as it is, without base64. */
function sendFile(string $phone, string $file, string $idempotencyKey): string
{
    $content = @file_get_contents($file);
    if ($content === false) {
        throw new RuntimeException("$file cannot be read");
    }
    $boundary = bin2hex(random_bytes(16));
    $name = strtr(basename($file), ['"' => '%22', "\r" => '%0D', "\n" => '%0A']); // as browsers do
    $body = "--$boundary\r\nContent-Disposition: form-data; name=\"phone\"\r\n\r\n$phone\r\n"
        . "--$boundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"$name\"\r\n"
        . "Content-Type: application/octet-stream\r\n\r\n$content\r\n--$boundary--\r\n";
    return post('/wa/sendfile', $idempotencyKey, "multipart/form-data; boundary=$boundary", $body);
}

if ($argc !== 5 || !getenv('KURIR_URL') || !getenv('KURIR_KEY')) {
    fwrite(STDERR, "usage: KURIR_URL=… KURIR_KEY=… php send.php PHONE TEXT FILE NAME_OF_THIS_SENDING\n");
    exit(2);
}
[, $phone, $text, $file, $name] = $argv;
try {
    echo sendText($phone, $text, "$name-text"), "\n";
    echo sendFile($phone, $file, "$name-file"), "\n";
} catch (Exception $e) {
    fwrite(STDERR, 'kurir: ' . $e->getMessage() . "\n");
    exit(1);
}
