<?php
// Runs examples/send-laravel without Laravel: the Http facade, its response and config() below are a small stand-in with
// the names, order of arguments and defaults (JSON, multipart once something is attached) that Laravel documents. What the
// example does with kurir's answers is real; that it fits a given release of Laravel is not shown here.
//
//     php run.php PHONE TEXT FILE SENDING

namespace Illuminate\Http\Client {
    class Response
    {
        public function __construct(private int $status, private string $body)
        {
        }

        public function status(): int
        {
            return $this->status;
        }

        public function json(?string $key = null): mixed
        {
            $all = json_decode($this->body, true);
            return $key === null ? $all : ($all[$key] ?? null);
        }
    }

    class PendingRequest
    {
        private string $base = '';
        private array $headers = [];
        private array $files = [];
        private int $timeout = 30;
        private bool $redirects = true;

        public function baseUrl(string $url): static
        {
            $this->base = $url;
            return $this;
        }

        public function withToken(string $token, string $type = 'Bearer'): static
        {
            return $this->withHeaders(['Authorization' => "$type $token"]);
        }

        public function withHeaders(array $headers): static
        {
            $this->headers = array_merge($this->headers, $headers);
            return $this;
        }

        public function withoutRedirecting(): static
        {
            $this->redirects = false;
            return $this;
        }

        public function timeout(int $seconds): static
        {
            $this->timeout = $seconds;
            return $this;
        }

        public function attach(string $name, mixed $contents = '', ?string $filename = null): static
        {
            $this->files[] = [$name, is_resource($contents) ? stream_get_contents($contents) : $contents, $filename];
            return $this;
        }

        public function post(string $url, array $data = []): Response
        {
            [$type, $body] = $this->files ? $this->multipart($data) : ['application/json', json_encode($data)];
            $header = ["Content-Type: $type"];
            foreach ($this->headers as $name => $value) {
                $header[] = "$name: $value";
            }
            $answer = file_get_contents(rtrim($this->base, '/') . '/' . ltrim($url, '/'), false, stream_context_create(['http' => [
                'method' => 'POST', 'header' => $header, 'content' => $body, 'timeout' => $this->timeout,
                'follow_location' => (int) $this->redirects, 'ignore_errors' => true,
            ]]));
            return new Response((int) explode(' ', $http_response_header[0])[1], $answer);
        }

        private function multipart(array $data): array
        {
            $boundary = bin2hex(random_bytes(16));
            $body = '';
            foreach ($data as $name => $value) {
                $body .= "--$boundary\r\nContent-Disposition: form-data; name=\"$name\"\r\n\r\n$value\r\n";
            }
            foreach ($this->files as [$name, $content, $file]) {
                $body .= "--$boundary\r\nContent-Disposition: form-data; name=\"$name\"; filename=\"$file\"\r\n\r\n$content\r\n";
            }
            return ["multipart/form-data; boundary=$boundary", "$body--$boundary--\r\n"];
        }
    }
}

namespace Illuminate\Support\Facades {
    class Http
    {
        public static function __callStatic(string $method, array $arguments): mixed
        {
            return (new \Illuminate\Http\Client\PendingRequest())->$method(...$arguments);
        }
    }
}

namespace {
    function config(string $name): ?string
    {
        return ['services.kurir.url' => getenv('KURIR_URL'), 'services.kurir.key' => getenv('KURIR_KEY')][$name];
    }

    $example = __DIR__ . '/../../../examples/send-laravel/';
    require $example . 'KurirException.php';
    require $example . 'Kurir.php';

    [, $phone, $text, $file, $sending] = $argv;
    $kurir = new App\Services\Kurir();
    try {
        echo $kurir->sendText($phone, $text, "$sending-text"), "\n";
        echo $kurir->sendFile($phone, $file, "$sending-file"), "\n";
    } catch (App\Services\KurirException $e) {
        fwrite(STDERR, $e->getMessage() . "\n");
        exit(1);
    }
}
