<?php

namespace App\Services;

use RuntimeException;

/** What kurir refused: kurirCode is for programs, the message for people. */
class KurirException extends RuntimeException
{
    public function __construct(public readonly string $kurirCode, string $message)
    {
        parent::__construct("$kurirCode: $message");
    }
}
