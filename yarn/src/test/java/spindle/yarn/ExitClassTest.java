package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Why containers end, by what YARN says about it. */
class ExitClassTest {
    @ParameterizedTest
    @CsvSource({"0,failed", "1,failed", "12,failed", "18,failed", "139,failed", "154,failed", "137,killed", "143,killed",
        "-100,node", "-101,disk", "-102,preempted", "-103,memory", "-104,memory", "-105,stopped", "-106,node",
        "-107,stopped", "-108,node", "-109,node", "-5000,node", "-1000,launch"})
    void every_status_has_a_class(int status, String name) {
        assertEquals(name, ExitClass.of(status).wire());
    }
}
