/*
 * salvaging.c - see salvaging.h.
 */
#include "tests/store/salvaging.h"

#include <stdio.h>

void key_text(int number, char text[32])
{
    (void)snprintf(text, 32, "d/key%04d", number);
}

void content_text(int number, char text[CONTENT_SIZE + 1])
{
    uint64_t random = (uint64_t)number + 1;

    fill_noise(&random, (uint8_t *)text, CONTENT_SIZE);
    for (int i = 0; i < CONTENT_SIZE; i++) {
        text[i] = (char)('!' + (uint8_t)text[i] % 90);
    }
    text[CONTENT_SIZE] = '\0';
}

void put_all(struct fixture *fixture)
{
    char text[32];
    char content[CONTENT_SIZE + 1];

    for (int i = 0; i < KEYS; i++) {
        key_text(i, text);
        content_text(i, content);
        apply_expect(fixture, put_request(text, NULL, content), STATUS_OK);
    }
}

struct store_result salvage(struct fixture *fixture)
{
    struct store_result result = apply(fixture, plain_request(STORE_SALVAGE));

    assert_string_equal(status_name(result.status), "ok");
    assert_non_null(result.text);
    return result;
}
