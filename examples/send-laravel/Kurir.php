<?php

namespace App\Services;

use Illuminate\Http\Client\Response;
use Illuminate\Support\Facades\Http;

/**
 * Sends texts and files through kurir.
 *
 * In config/services.php: 'kurir' => ['url' => env('KURIR_URL'), 'key' => env('KURIR_KEY')],
 * then app(Kurir::class)->sendText('081234567890', 'Halo!', 'order-1042-text').
 *
 * The last argument names what is sent: with the same again, in a job that is tried twice for example, nothing goes out twice.
 */
class Kurir
{
    private const TIMEOUT = 60; // seconds

    /** Gives the id of the message that kurir accepted. */
    public function sendText(string $phone, string $text, string $idempotencyKey): string
    {
        return $this->accepted(
            $this->request($idempotencyKey)->post('/wa/send', ['phone' => $phone, 'body' => $text])
        );
    }

    /** Sends the file as it is, without base64 and without reading it into memory. */
    public function sendFile(string $phone, string $path, string $idempotencyKey): string
    {
        return $this->accepted(
            $this->request($idempotencyKey)
                ->attach('file', fopen($path, 'r'), basename($path))
                ->post('/wa/sendfile', ['phone' => $phone])
        );
    }

    private function request(string $idempotencyKey)
    {
        return Http::baseUrl(config('services.kurir.url'))
            ->withToken(config('services.kurir.key'))
            ->withHeaders(['Idempotency-Key' => $idempotencyKey])
            ->withoutRedirecting()
            ->timeout(self::TIMEOUT);
    }

    private function accepted(Response $response): string
    {
        if ($response->json('status') !== true) {
            // A proxy in between answers in its own words.
            throw new KurirException($response->json('code') ?? 'HTTP ' . $response->status(), $response->json('message') ?? '');
        }
        return $response->json('id');
    }
}
